import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { AdapterName } from "../../src/domain/AdapterName.ts"
import { fromPeer } from "../../src/agent/failures.ts"
import { resetTime } from "../../src/agent/resetTime.ts"
import { launchOf } from "../../src/agent/launch.ts"
import { makeLineSplitter, nestsDeeperThan } from "../../src/agent/lines.ts"
import { capped } from "../../src/agent/text.ts"
import { tokensOf } from "../../src/agent/usage.ts"

const encoder = new TextEncoder()

describe("lines", () => {
  it("are the same however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " "))),
        fc.array(fc.nat({ max: 40 }), { minLength: 1 }),
        (lines, cuts) => {
          const bytes = encoder.encode(lines.map((line) => `${line}\n`).join(""))
          const splitter = makeLineSplitter(1_000_000)
          const found: Array<string> = []
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const size = (cuts[turn % cuts.length] ?? 0) + 1
            found.push(...splitter.push(bytes.subarray(at, at + size)).lines)
            at += size
          }
          assert.deepStrictEqual(
            found,
            lines.map((line) => new TextDecoder().decode(encoder.encode(line)))
          )
          assert.strictEqual(splitter.rest(), "")
        }
      )
    )
  })

  it("over the cap overflow, whatever their pieces; those up to it do not", () => {
    const push = (size: number, piece: number): boolean => {
      const splitter = makeLineSplitter(100)
      let overflow = false
      for (let left = size; left > 0; left -= piece)
        overflow ||= splitter.push(new Uint8Array(Math.min(piece, left)).fill(120)).overflow
      return overflow
    }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (size, piece) => {
        assert.strictEqual(push(size, piece), size > 100)
      })
    )
  })

  it("are measured in depth by their brackets, not by those in texts", () => {
    assert.isFalse(nestsDeeperThan(JSON.stringify({ a: ['[[[["[[{{'] }), 2))
    assert.isTrue(nestsDeeperThan("[[[", 2))
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const depth = (value: unknown): number =>
          typeof value === "object" && value !== null
            ? 1 + Math.max(0, ...Object.values(value).map(depth))
            : 0
        const actual = depth(JSON.parse(text))
        assert.isFalse(nestsDeeperThan(text, actual))
        if (actual > 0) assert.isTrue(nestsDeeperThan(text, actual - 1))
      })
    )
  })
})

describe("texts", () => {
  it("are cut between characters, saying by how much", () => {
    assert.strictEqual(capped("abc", 3), "abc")
    assert.strictEqual(capped("abcd", 3), "abc… (1 more)")
    assert.strictEqual(capped("ab🎼d", 3), "ab… (3 more)")
  })
})

describe("failures", () => {
  const now = 1_700_000_000_000
  const staged = (name: AdapterName) =>
    launchOf(name, { command: null, credentials: "staged", readTimeoutMs: null })
  const reasons = [
    [{ code: -32_000, message: "Authentication required", data: undefined }, "auth"],
    [
      { code: -32_603, message: "Internal error", data: { message: "unexpected status 401 Unauthorized" } },
      "auth"
    ],
    [{ code: -32_603, message: "Internal error: Incorrect API key provided", data: undefined }, "auth"],
    [
      { code: -32_603, message: "Internal error", data: { message: "Missing environment variable: `KEY`." } },
      "auth"
    ],
    [{ code: -32_603, message: "Internal error", data: { errorKind: "rate_limit" } }, "rate_limit"],
    [{ code: 429, message: "slow down", data: undefined }, "rate_limit"],
    [
      { code: -32_603, message: "exceeded retry limit, last status: 429 Too Many Requests", data: null },
      "rate_limit"
    ],
    [
      {
        code: 429,
        message: "You exceeded your current quota, please check your plan and billing details.",
        data: { code: "insufficient_quota" }
      },
      "billing"
    ],
    [
      { code: -32_603, message: "Your credit balance is too low to access the Anthropic API.", data: null },
      "billing"
    ],
    [{ code: -32_603, message: "unexpected status 402 Payment Required", data: null }, "billing"],
    [
      {
        code: 429,
        message: "You exceeded your current quota, check your billing details. Please retry in 33s.",
        data: null
      },
      "rate_limit"
    ],
    [{ code: -32_603, message: "Quota exceeded for requests per minute", data: null }, "rate_limit"],
    [{ code: -32_603, message: "EDQUOT: disk quota exceeded, write", data: null }, "system"],
    [{ code: -32_603, message: "tests of the billing module broke", data: null }, "system"],
    [{ code: -32_603, message: "Internal error", data: { codex_error_info: "other" } }, "system"],
    [{ code: 500, message: "Internal Server Error", data: undefined }, "system"]
  ] as const
  for (const [error, reason] of reasons)
    it(`${error.code} ${error.message} ${JSON.stringify(error.data) ?? ""} is ${reason}`, () => {
      assert.strictEqual(fromPeer(staged("claude"), "its prompt", error, now).reason, reason)
    })

  const refused = { code: -32_000, message: "Authentication required", data: undefined }
  const signIns = [
    [
      staged("claude"),
      /sign in on the host \(~\/\.claude\/\.credentials\.json\) or set ANTHROPIC_API_KEY.*forward_env/
    ],
    [staged("demo"), /Authentication required$/],
    [
      launchOf("codex", { command: null, credentials: "proxy", readTimeoutMs: null }),
      /OPENAI_API_KEY that symphony itself was started with/
    ],
    [
      launchOf("claude", { command: "mine", credentials: "staged", readTimeoutMs: null }),
      /acp\.command.*forward_env/
    ]
  ] as const
  for (const [launch, hint] of signIns)
    it(`of a sign-in say where ${launch.command} with ${launch.credentials} credentials has it from`, () => {
      const { message } = fromPeer(launch, "its prompt", refused, now)
      assert.match(message, hint)
      if (launch.own || launch.credentials === "proxy") assert.notInclude(message, "sign in on the host")
    })

  const resets = [
    ["Rate limit reached. Please try again in 20s.", now + 20_000],
    ["Please try again in 1m3.5s", now + 63_500],
    ["try again in 350ms", now + 350],
    ["resets in 2 hours", now + 7_200_000],
    ['{"retry_after": 30}', now + 30_000],
    ['{"retryAfterSeconds":12}', now + 12_000],
    ["Claude AI usage limit reached|1700003600", 1_700_003_600_000],
    ['{"resets_at":1700003600}', 1_700_003_600_000],
    ['{"resetAt":"2023-11-14T23:13:20Z"}', 1_700_003_600_000],
    ["Please retry after 5 minutes.", now + 300_000],
    ["retry-after: 20", now + 20_000],
    ['{"retry-after-ms":"1500"}', now + 1500],
    ["You've hit your usage limit. Try again in 3 days 4 hours 9 minutes.", now + 274_140_000],
    ["try again in 1 week, 2 days and 1 hour", now + (9 * 24 + 1) * 3_600_000],
    ["resets at 3pm (America/New_York)", Date.UTC(2023, 10, 15, 20)],
    ["resets 11:30pm (UTC)", Date.UTC(2023, 10, 14, 23, 30)],
    ["resets 22:13 UTC", Date.UTC(2023, 10, 15, 22, 13)],
    ["try again at Nov 27th, 2026 3:04 PM (Europe/Berlin)", Date.UTC(2026, 10, 27, 14, 4)],
    ["resets Jan 9, 10am (Europe/Berlin)", Date.UTC(2024, 0, 9, 9)],
    ["resets at 3pm", null],
    ["try again at Nov 27th, 2026 3:04 PM", null],
    ["try again in 3 business days", null],
    ["try again in 5-10 minutes", null],
    ["try again in 10:30", null],
    ["retry in 2 fortnights", null],
    ["resets at 3 UTC", null],
    ["resets at 25:00 UTC", null],
    ["resets at 3pm (Nowhere/Land)", null],
    ["Too many requests", null]
  ] as const
  for (const [text, at] of resets)
    it(`"${text}" ${at === null ? "does not say when to come back" : `says ${at - now} ms`}`, () => {
      assert.strictEqual(resetTime(text, now), at)
    })

  it("say a time to come back for every duration, however it is written, and for no number alone with a strange word", () => {
    const units = {
      ms: 1,
      s: 1000,
      sec: 1000,
      minutes: 60_000,
      h: 3_600_000,
      hours: 3_600_000,
      day: 86_400_000,
      weeks: 604_800_000
    }
    const part = fc.tuple(fc.integer({ min: 1, max: 99 }), fc.constantFrom(...Object.entries(units)))
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(" ", ", ", " and ", ", and "),
        fc.constantFrom("", " "),
        (parts, between, gap) => {
          const text = parts.map(([amount, [unit]]) => `${amount}${gap}${unit}`).join(between)
          const total = parts.reduce((sum, [amount, [, size]]) => sum + amount * size, 0)
          assert.strictEqual(resetTime(`Limit reached, try again in ${text}.`, now), now + total)
        }
      )
    )
    fc.assert(
      fc.property(fc.integer({ min: 0 }), fc.stringMatching(/^(?:mo|q|x|y)[a-z]{0,8}$/), (amount, word) => {
        assert.isNull(resetTime(`try again in ${amount} ${word}`, now))
      })
    )
  })
})

describe("tokens of a turn", () => {
  it("count cached input once, whether it is told apart or within", () => {
    const apart = {
      inputTokens: 10,
      outputTokens: 5,
      cachedReadTokens: 100,
      cachedWriteTokens: 20,
      totalTokens: 135
    }
    assert.deepStrictEqual(tokensOf(apart, "turn"), { input: 130, output: 5, total: 135, source: "reported" })
    const within = { inputTokens: 130, outputTokens: 5, cachedReadTokens: 100, totalTokens: 135 }
    assert.deepStrictEqual(tokensOf(within, "turn"), {
      input: 130,
      output: 5,
      total: 135,
      source: "reported"
    })
  })

  it("are partial where only the last request is told, and unknown where nothing is", () => {
    assert.strictEqual(tokensOf({ inputTokens: 1, outputTokens: 1 }, "last_request").source, "partial")
    assert.strictEqual(tokensOf(undefined, "turn_or_absent").source, "unknown")
  })

  it("are whole and not negative, whatever an agent reports", () => {
    const number = fc.oneof(fc.double(), fc.integer(), fc.constant(null))
    fc.assert(
      fc.property(
        fc.record({
          inputTokens: number,
          outputTokens: number,
          cachedReadTokens: number,
          totalTokens: number
        }),
        (usage) => {
          const { input, output, total } = tokensOf(usage, "turn")
          for (const value of [input, output, total]) assert.isTrue(Number.isInteger(value) && value >= 0)
          assert.isAtLeast(total, Math.max(input, output))
        }
      )
    )
  })
})
