import { assert, it } from "@effect/vitest"
import { costText } from "../../src/domain/Cost.ts"

it.each([
  [{ USD: 0.42 }, false, "$0.42"],
  [{ USD: 0.0166 }, false, "$0.0166"],
  [{ USD: 0 }, false, "$0"],
  [{ credits: 12, EUR: 1.5, USD: 0.42 }, true, "≥ €1.50 + $0.42 + 12.00 credits"]
])("a cost of %j, partial: %s, is told as %s", (amounts, partial, text) =>
  assert.strictEqual(costText({ amounts, partial }), text)
)
