import { Console, Effect, Layer } from "effect"
import { CliConfig, type CliError, CliOutput, GlobalFlag } from "effect/cli"
import { type CommandFailed, failWith } from "./failures.ts"

const DEFAULT_USAGE = "symphony [run] [WORKFLOW.md] [--port N] [--once]"

const EXIT_CODES = `EXIT CODES
  0    done or stopped
  1    failed
  2    bad usage or configuration
  3    the tracker is held by another orchestrator`

/** Help goes to those who ask for it; who mistyped something is told what, by `usageError`. */
const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "Help") return yield* CliOutput.defaultPresenter.present(event)
    if (event.reason === "Implicit") return
    const isWhole = event.commandPath.length === 1
    const usage = isWhole ? `${DEFAULT_USAGE}\n  ${event.helpDoc.usage}` : event.helpDoc.usage
    yield* CliOutput.defaultPresenter.present({ ...event, helpDoc: { ...event.helpDoc, usage } })
    if (isWhole) yield* Console.log(`\n${EXIT_CODES}`)
  })
}

/** Of what the library offers everywhere: `SYMPHONY_LOG_LEVEL` is the one way to set the log's level. */
const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]

export const layer = Layer.merge(CliOutput.layerPresenter(presenter), CliConfig.layer({ builtIns }))

const inOneLine = (error: CliError.CliError): string => {
  const [line = ""] = error.message.split("\n", 1)
  const suggestions = "suggestions" in error ? error.suggestions : []
  return suggestions.length === 0 ? line : `${line} - did you mean ${suggestions.join(" or ")}?`
}

/** What was wrong with the call, and where one can read how it is done. */
export const usageError = (error: CliError.CliError): CommandFailed => {
  const [errors, path] =
    error._tag === "ShowHelp" ? [error.errors, error.commandPath] : [[error], ["symphony"]]
  const wrong = errors.map((one) => `error: ${inOneLine(one)}`)
  return failWith(2, [...wrong, `  ${path.join(" ")} --help tells how it is used`].join("\n"))
}
