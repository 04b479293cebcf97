import { Config, Effect, Option } from "effect"
import { namedVariables, type Environment } from "./paths.ts"

/** The variables that the paths of a workflow's text may name, from the ConfigProvider. */
export const readEnvironment = (text: string): Effect.Effect<Environment, Config.ConfigError> =>
  Effect.gen(function* () {
    const found: Array<readonly [string, string]> = []
    for (const name of namedVariables(text)) {
      const value = yield* Config.option(Config.String(name))
      if (Option.isSome(value)) found.push([name, value.value])
    }
    return Object.fromEntries(found)
  })
