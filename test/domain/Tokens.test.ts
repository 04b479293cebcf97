import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { addTokens, noTokens, type Tokens, TokenSource, unknownTokens } from "../../src/domain/Tokens.ts"

const tokens = (total: number, source: Tokens["source"]): Tokens => ({
  input: total,
  output: 0,
  total,
  source
})

const anyTokens = fc
  .tuple(fc.nat(1000), fc.constantFrom(...TokenSource.literals))
  .map(([total, source]) => tokens(source === "none" || source === "unknown" ? 0 : total, source))

describe("sums of tokens", () => {
  it("are a lower bound where one part is unknown", () => {
    assert.strictEqual(addTokens(tokens(10, "reported"), unknownTokens).source, "partial")
    assert.strictEqual(addTokens(unknownTokens, tokens(10, "reported")).source, "partial")
    assert.strictEqual(addTokens(unknownTokens, unknownTokens).source, "unknown")
  })

  it("are as certain as their less certain part", () => {
    assert.strictEqual(addTokens(tokens(1, "counted"), tokens(1, "reported")).source, "reported")
    assert.strictEqual(addTokens(tokens(1, "counted"), tokens(1, "partial")).source, "partial")
  })

  it("do not depend on the order, and nothing changes nothing", () => {
    fc.assert(
      fc.property(anyTokens, anyTokens, (left, right) => {
        assert.deepStrictEqual(addTokens(left, right), addTokens(right, left))
        assert.deepStrictEqual(addTokens(left, noTokens), left)
      })
    )
  })
})
