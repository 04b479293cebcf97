import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { frame, makeFrameReader } from "../../src/sandbox/smolvm/frames.ts"
import { endpointIn } from "../../src/domain/Endpoint.ts"
import { mountProblem } from "../../src/sandbox/smolvm/mounts.ts"
import { reasonIn, sandboxError, SmolvmError } from "../../src/sandbox/smolvm/SmolvmError.ts"
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
    const rest = (text: string) => {
      const found = endpointIn(text)
      return found?._tag === "Socket" ? found.path : found === null ? null : [found.host, found.port]
    }
    for (const text of ["unix:///run/s.sock", "/run/s.sock"]) assert.strictEqual(rest(text), "/run/s.sock")
    for (const scheme of ["", "http://", "tcp://"])
      assert.deepStrictEqual(rest(`${scheme}127.0.0.1:8080`), ["127.0.0.1", 8080])
    assert.deepStrictEqual(rest("http://[::1]:8080"), ["::1", 8080])
    assert.strictEqual(endpointIn("/run/s.sock")?.text, "/run/s.sock")
    for (const bad of ["", "smolvm.sock", "https://127.0.0.1:8080", "127.0.0.1"])
      assert.isNull(endpointIn(bad), bad)
  })
})

describe("what smolvm answers", () => {
  it.each([
    ["machine 'symphony-0-x-image' not found", "not_found"],
    ["machine 'a-mount-22' is not running. Use 'smolvm machine start --name a-mount-22' first.", "failed"],
    ["machine 'symphony-0-issue-22-pull' already exists", "name_taken"],
    ["failed to stop machine 'fix-image-pull-22': process survived", "failed"],
    ["failed to open /home/ada/registry/mount source/db: locked", "failed"],
    ["connection to VM lost", "lost"],
    ["agent did not become ready within 30s", "not_ready"],
    ["failed to boot VM: krun_start_enter returned -22", "mount"],
    ["mount source does not exist: /home/ada/image", "mount"],
    ["mount validation failed: /a", "mount"],
    ["sidecar file not found: /home/ada/mount target/x", "image"],
    ["failed to pull image 'no/mount': manifest unknown", "image"],
    ["invalid magic: expected SMOLPACK", "image"],
    ["exit status 122", "failed"]
  ] as const)("%s: %s", (text, reason) => {
    assert.strictEqual(reasonIn(text), reason)
  })

  it("is told by what was done, with what to do about it", () => {
    const told = (reason: SmolvmError["reason"], operation: string) =>
      sandboxError(new SmolvmError({ reason, operation, detail: "it" }))
    assert.strictEqual(told("timeout", "machine start").reason, "boot_timeout")
    assert.strictEqual(told("not_ready", "machine start").reason, "boot_timeout")
    assert.strictEqual(told("timeout", "machine exec").reason, "lost")
    assert.strictEqual(told("timeout", "machine ls").reason, "boot")
    for (const reason of SmolvmError.fields.reason.literals) assert.isNotNull(told(reason, "it").hint, reason)
  })
})

describe("mounts", () => {
  it("with a colon, which separates their parts on the command line, are refused", () => {
    const problem = mountProblem([{ source: "/work/a:b", target: "/a", readonly: false }])
    assert.include(problem?.message, "/work/a:b")
    assert.isNull(mountProblem([{ source: "/work/a", target: "/a", readonly: false }]))
  })
})
