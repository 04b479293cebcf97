import { Config, Effect, Option } from "effect"

const ALLOWED = [
  "PATH",
  "LANG",
  "LANGUAGE",
  "LC_ALL",
  "LC_COLLATE",
  "LC_CTYPE",
  "LC_MESSAGES",
  "LC_MONETARY",
  "LC_NUMERIC",
  "LC_TIME",
  "TZ"
] as const

const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"

/** All that a guest gets of the host's environment unasked: where programs are, locale and time zone. */
export const hostEnvironment: Effect.Effect<Readonly<Record<string, string>>> = Effect.gen(function* () {
  const env: Record<string, string> = { PATH: DEFAULT_PATH, TERM: "dumb" }
  for (const name of ALLOWED) {
    const value = yield* Effect.orDie(Config.option(Config.String(name)))
    if (Option.isSome(value) && value.value !== "") env[name] = value.value
  }
  return env
})
