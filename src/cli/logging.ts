import { Cause, Config, DateTime, Effect, Layer, Logger, type LogLevel, References } from "effect"
import { printable } from "../domain/printable.ts"

const LEVELS: Readonly<Record<string, LogLevel.LogLevel>> = {
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error"
}

/** As it stands where that is unmistakable, quoted otherwise; control characters are shown, never sent. */
const quoted = (value: unknown): string => {
  const text = printable(typeof value === "string" ? value : value === null ? "" : render(value))
  return /^[^\s"=]*$/.test(text) ? text : JSON.stringify(text)
}

const render = (value: unknown): string => {
  if (value instanceof Error) return value.message
  if (Cause.isCause(value)) return Cause.pretty(value)
  return typeof value === "object" ? JSON.stringify(value) : String(value)
}

/** `ts=… level=… msg=… key=value`: one line an event, which no value can break or forge. */
const line = Logger.make(({ cause, date, fiber, logLevel, message }) => {
  const [text, ...rest] = Array.isArray(message) ? message : [message]
  const reasons = [...rest, ...(cause.reasons.length === 0 ? [] : [cause])].map(render)
  const pairs = [
    ["ts", DateTime.formatIso(DateTime.fromDateUnsafe(date))],
    ["level", logLevel.toLowerCase()],
    ["msg", text],
    ...(reasons.length === 0 ? [] : [["error", reasons.join("; ")]]),
    ...Object.entries(fiber.getRef(References.CurrentLogAnnotations))
  ]
  return pairs.map(([key, value]) => `${String(key)}=${quoted(value)}`).join(" ")
})

const askedLevel = Config.String("SYMPHONY_LOG_LEVEL").pipe(Config.withDefault(""))

const levelOf = (asked: string): LogLevel.LogLevel | undefined => LEVELS[asked.toLowerCase()]

/** Says so when `SYMPHONY_LOG_LEVEL` is none: what a person wanted to see would be missing without a word. */
export const warnOfUnknownLevel = Effect.gen(function* () {
  const asked = yield* askedLevel
  if (asked !== "" && levelOf(asked) === undefined)
    yield* Effect.logWarning(
      `SYMPHONY_LOG_LEVEL is ${JSON.stringify(asked)}, which is none of ${Object.keys(LEVELS).join(", ")}; the default is used`
    )
})

/** To stderr, at `SYMPHONY_LOG_LEVEL` (debug, info, warn, error; default info) and above. */
export const layer = (fallback: LogLevel.LogLevel = "Info") =>
  Layer.unwrap(
    Effect.gen(function* () {
      const level = levelOf(yield* askedLevel) ?? fallback
      return Layer.mergeAll(
        Logger.layer([Logger.withConsoleError(line)]),
        Layer.succeed(References.MinimumLogLevel, level)
      )
    })
  )
