import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  addTokens,
  noTokens,
  type Tokens,
  TokenSource,
  unknownTokens,
  withCost
} from "../../src/domain/Tokens.ts"

const tokens = (total: number, source: Tokens["source"]): Tokens => ({
  input: total,
  output: 0,
  total,
  source
})

const anyCost = fc.option(
  fc.record({
    amounts: fc.dictionary(fc.constantFrom("USD", "EUR", "credits"), fc.integer({ min: 1, max: 1e9 })),
    partial: fc.boolean()
  }),
  { nil: undefined }
)
const anyTokens = fc
  .tuple(fc.nat(1000), fc.constantFrom(...TokenSource.literals), anyCost)
  .map(([total, source, cost]) =>
    withCost(tokens(source === "none" || source === "unknown" ? 0 : total, source), cost)
  )

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

  it("have the cost of both, each currency by itself, exact in decimals", () => {
    const dollars = withCost(tokens(1, "reported"), { amounts: { USD: 0.1 }, partial: false })
    const more = withCost(tokens(1, "counted"), { amounts: { USD: 0.2, credits: 3 }, partial: false })
    assert.deepStrictEqual(addTokens(dollars, more).cost, {
      amounts: { USD: 0.3, credits: 3 },
      partial: false
    })
  })

  it("cost at least what is known of them, and nothing where no model was asked", () => {
    const dollars = withCost(tokens(1, "reported"), { amounts: { USD: 0.1 }, partial: false })
    assert.deepStrictEqual(addTokens(tokens(1, "reported"), dollars).cost, {
      amounts: { USD: 0.1 },
      partial: true
    })
    assert.deepStrictEqual(addTokens(tokens(1, "scripted"), dollars).cost, dollars.cost)
    assert.isUndefined(addTokens(tokens(1, "reported"), unknownTokens).cost)
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
