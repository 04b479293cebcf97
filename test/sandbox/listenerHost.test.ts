import { assert, describe, it } from "@effect/vitest"
import { listenerUrl } from "../../src/sandbox/listenerHost.ts"

describe("the address of symphony that an agent is given", () => {
  for (const [bound, named, url] of [
    ["127.0.0.1", "127.0.0.1", "http://127.0.0.1:8787"],
    ["127.0.0.1", "symphony.lan", "http://symphony.lan:8787"],
    ["0.0.0.0", "10.0.2.2", "http://10.0.2.2:8787"],
    ["127.0.0.1", "::1", "http://[::1]:8787"],
    ["127.0.0.1", "[::1]", "http://[::1]:8787"],
    ["192.168.1.5", "127.0.0.1", "http://192.168.1.5:8787"],
    ["192.168.1.5", "0.0.0.0", "http://192.168.1.5:8787"],
    ["0.0.0.0", "127.0.0.1", "http://127.0.0.1:8787"],
    ["::", "127.0.0.1", "http://[::1]:8787"],
    ["::1", "127.0.0.1", "http://[::1]:8787"]
  ] as const) {
    it(`is ${url} where it listens on ${bound} and mcp.host is ${named}`, () =>
      assert.strictEqual(listenerUrl({ host: bound, port: 8787 }, named), url))
  }
})
