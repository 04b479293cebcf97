import { assert, describe, it } from "@effect/vitest"
import { allowedHosts, hostName, isForeign, pathOf } from "../../src/http/requestRules.ts"
import { testWorkflow } from "../support/workflow.ts"

describe("the name in a Host header", () => {
  for (const [host, name] of [
    ["127.0.0.1:8787", "127.0.0.1"],
    ["LOCALHOST", "localhost"],
    ["[::1]:80", "[::1]"],
    ["example.com.", "example.com"],
    ["a b", undefined],
    ["evil.example:8787@127.0.0.1", undefined],
    ["", undefined],
    [undefined, undefined]
  ] as const) {
    it(`${host} is ${name}`, () => assert.strictEqual(hostName(host), name))
  }
})

describe("hosts that are answered", () => {
  const hosts = allowedHosts(
    testWorkflow({
      config: {
        server: { host: "0.0.0.0", allowedHosts: ["symphony.lan"] },
        mcp: { hostUrl: "http://gateway.internal:9000/base" }
      }
    }).config,
    "192.168.1.5"
  )
  it("are loopback, what a guest says, and what the operator named", () =>
    assert.deepStrictEqual([...hosts].sort(), [
      "127.0.0.1",
      "192.168.1.5",
      "[::1]",
      "gateway.internal",
      "host.smolvm.internal",
      "localhost",
      "symphony.lan"
    ]))
})

describe("a request from a foreign page", () => {
  const host = "127.0.0.1:8787"
  const cases: ReadonlyArray<readonly [string, boolean, string, Readonly<Record<string, string>>]> = [
    ["a script that sends no such header", false, "POST", {}],
    ["our own page", false, "POST", { origin: `http://${host}`, "sec-fetch-site": "same-origin" }],
    ["another site", true, "POST", { origin: "http://evil.example" }],
    ["another port of this machine", true, "POST", { origin: "http://127.0.0.1:3000" }],
    [
      "another port, read by a script",
      true,
      "GET",
      { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }
    ],
    [
      "an image on another site",
      true,
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }
    ],
    [
      "a link on another site",
      false,
      "GET",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }
    ],
    [
      "a form of another site",
      true,
      "POST",
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }
    ],
    ["an opaque origin", true, "POST", { origin: "null" }],
    ["an old browser on another site", true, "POST", { referer: "http://evil.example/x" }],
    ["an old browser on our page", false, "POST", { referer: `http://${host}/` }]
  ]
  for (const [who, foreign, method, headers] of cases) {
    it(`${who}: ${foreign ? "refused" : "let in"}`, () =>
      assert.strictEqual(isForeign({ method, url: "/", headers: { host, ...headers } }), foreign))
  }
})

describe("the path of a request", () => {
  it("is without its query", () => assert.strictEqual(pathOf("/a%20b?c=%zz"), "/a%20b"))
  for (const path of ["/%", "/%zz", "/%ff", "/a%2", "/a;b", "//a", "/a//b", "/a\\b"]) {
    it(`${path} is malformed`, () => assert.isUndefined(pathOf(path)))
  }
})
