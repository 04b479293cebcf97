import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { frame, makeFrameReader } from "../../src/sandbox/smolvm/frames.ts"
import { endpointIn } from "../../src/sandbox/smolvm/httpCall.ts"
import { machineName, machinePrefix } from "../../src/sandbox/smolvm/machineName.ts"
import { isAtLeast, syntaxOf, versionIn } from "../../src/sandbox/smolvm/syntax.ts"

const isValid = (name: string): boolean =>
  name.length <= 128 &&
  /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name) &&
  !name.includes("--") &&
  !name.endsWith("-")

const identifiers = fc.oneof(
  fc.string({ minLength: 1, unit: "binary" }),
  fc.stringMatching(/^[A-Za-z0-9._/-]{1,200}$/)
)

describe("names of machines", () => {
  it("are valid whatever the identifier, and begin as all of their tracker", () => {
    fc.assert(
      fc.property(identifiers, (identifier) => {
        const name = machineName("/project/.symphony", identifier)
        assert.isTrue(isValid(name), name)
        assert.isTrue(name.startsWith(machinePrefix("/project/.symphony")))
      })
    )
  })

  it("differ where identifiers differ, in case too, and between trackers", () => {
    fc.assert(
      fc.property(identifiers, identifiers, (left, right) => {
        fc.pre(left !== right)
        const names = [machineName("/a", left), machineName("/a", right), machineName("/b", left)]
        assert.lengthOf([...new Set(names.map((name) => name.toLowerCase()))], 3)
      })
    )
    assert.notStrictEqual(machineName("/a", "ABC-1"), machineName("/a", "abc-1"))
  })
})

describe("frames", () => {
  it("survive any cutting of the stream", () => {
    const frames = fc.array(fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) }))
    fc.assert(
      fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (sent, sizes) => {
        const bytes = Buffer.concat(sent.map(({ payload, type }) => frame(type, payload)))
        const read = makeFrameReader()
        const got = []
        for (let at = 0; at < bytes.length;) {
          const size = sizes.next().value
          got.push(...(read(bytes.subarray(at, at + size)) ?? []))
          at += size
        }
        assert.deepStrictEqual(
          got.map(({ payload, type }) => ({ type, payload: [...payload] })),
          sent.map(({ payload, type }) => ({ type, payload: [...payload] }))
        )
      })
    )
  })

  it("of absurd length are none", () => {
    assert.isNull(makeFrameReader()(Uint8Array.of(3, 255, 255, 255, 255)))
  })
})

describe("versions", () => {
  it("decide the syntax", () => {
    assert.strictEqual(versionIn("smolvm 1.9.2 (abc)\n"), "1.9.2")
    assert.isNull(versionIn("smolvm"))
    assert.strictEqual(syntaxOf("0.8.0"), "positional")
    assert.strictEqual(syntaxOf("1.0.1"), "positional")
    assert.strictEqual(syntaxOf("1.0.2"), "flag")
    assert.isTrue(isAtLeast("1.10.0", "1.9.2"))
  })
})

describe("endpoints", () => {
  it("are sockets or addresses", () => {
    assert.deepStrictEqual(endpointIn("unix:///run/s.sock"), { _tag: "Socket", path: "/run/s.sock" })
    assert.deepStrictEqual(endpointIn("/run/s.sock"), { _tag: "Socket", path: "/run/s.sock" })
    const tcp = { _tag: "Tcp", host: "127.0.0.1", port: 8080 } as const
    assert.deepStrictEqual(endpointIn("127.0.0.1:8080"), tcp)
    assert.deepStrictEqual(endpointIn("http://127.0.0.1:8080"), tcp)
    assert.deepStrictEqual(endpointIn("tcp://127.0.0.1:8080"), tcp)
    for (const bad of ["", "smolvm.sock", "https://127.0.0.1:8080", "127.0.0.1"])
      assert.isNull(endpointIn(bad), bad)
  })
})
