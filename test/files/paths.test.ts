import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { byteOrder } from "../../src/files/paths.ts"

describe("byteOrder", () => {
  /** Names that share a beginning, of characters on both sides of what UTF-16 and UTF-8 disagree about. */
  const names = fc.string({
    unit: fc.constantFrom("a", "b", "é", "\u{d7ff}", "\u{e000}", "\u{ffff}", "\u{1f600}")
  })

  it("is the order of the bytes of UTF-8", () => {
    fc.assert(
      fc.property(names, names, (left, right) => {
        const bytes = Buffer.compare(Buffer.from(left), Buffer.from(right))
        assert.strictEqual(Math.sign(byteOrder(left, right)), bytes)
      })
    )
  })
})
