import { Schema } from "effect"

/** ISO 4217, or another unit that agents are paid in (`credits`). */
export const Currency = Schema.String.pipe(Schema.check(Schema.isPattern(/^[A-Za-z][A-Za-z0-9_-]{0,15}$/)))

/** What an agent says: it is taken at its word, within reason. */
export const MAX_AMOUNT = 1e9

/**
 * What work has cost, as its agents say. Amounts of different currencies stand side by side and are never added
 * up. `partial`: some of it is not known, so that this is a lower bound.
 */
export const Cost = Schema.Struct({
  amounts: Schema.Record(Currency, Schema.Finite),
  partial: Schema.Boolean
})
export type Cost = typeof Cost.Type

/** An agent's running total for its session. */
export const RunningCost = Schema.Struct({ amount: Schema.Finite, currency: Currency })
export type RunningCost = typeof RunningCost.Type

/** Decimal fractions are not exact in binary: what is beyond a billionth is noise. */
export const roundAmount = (amount: number): number => Math.round(amount * 1e9) / 1e9

export const addCosts = (left: Cost, right: Cost): Cost => {
  const amounts = new Map(Object.entries(left.amounts))
  for (const [currency, amount] of Object.entries(right.amounts))
    amounts.set(currency, roundAmount((amounts.get(currency) ?? 0) + amount))
  return { amounts: Object.fromEntries(amounts), partial: left.partial || right.partial }
}

/** A minor unit is enough for people, unless it would round what was spent away. */
const amountText = (amount: number): string =>
  amount === 0 ? "0" : amount < 0.1 ? amount.toFixed(4) : amount.toFixed(2)

/** `$0.42`, `≥ $0.42 + €1.00`, `12.00 credits`. */
export const costText = ({ amounts, partial }: Cost): string => {
  const parts = Object.entries(amounts)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([currency, amount]) =>
      currency === "USD"
        ? `$${amountText(amount)}`
        : currency === "EUR"
          ? `€${amountText(amount)}`
          : `${amountText(amount)} ${currency}`
    )
  return `${partial ? "≥ " : ""}${parts.join(" + ")}`
}
