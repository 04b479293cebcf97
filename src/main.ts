#!/usr/bin/env node
import { Cause, Console, Effect, Exit, Layer, Runtime, Stdio } from "effect"
import { Command, CliError } from "effect/cli"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { fileURLToPath } from "node:url"
import { command, withDefaultCommand } from "./cli/command.ts"
import { CommandFailed } from "./cli/failures.ts"
import * as logging from "./cli/logging.ts"
import { tellLostOutput } from "./cli/lostOutput.ts"
import * as usage from "./cli/usage.ts"
import { machine } from "./layers.ts"
import { version } from "./package.ts"

const main = Effect.gen(function* () {
  yield* logging.warnOfUnknownLevel
  const stdio = yield* Stdio.Stdio
  const args = withDefaultCommand(yield* stdio.args)
  yield* Command.runWith(command(fileURLToPath(import.meta.url)), { version, renderErrors: false })(args)
}).pipe(
  Effect.catchIf(CliError.isCliError, (error) =>
    error._tag === "ShowHelp" && error.errors.length === 0
      ? Effect.void
      : Effect.fail(usage.usageError(error))
  ),
  Effect.tapCause((cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.void
    const error = Cause.squash(cause)
    return error instanceof CommandFailed
      ? Console.error(error.message)
      : Effect.logError("symphony ended with a bug", cause)
  })
)

/** Stopped by a signal is stopped as asked. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
    ? onExit(0)
    : Runtime.defaultTeardown(exit, onExit)

tellLostOutput(process.stdout, process.stderr)

/** A terminal that closes asks for what SIGTERM asks for; that it may say so twice is no second signal. */
process.once("SIGHUP", () => {
  process.on("SIGHUP", () => undefined)
  process.kill(process.pid, "SIGTERM")
})

main.pipe(
  Effect.provide(Layer.mergeAll(machine, logging.layer(), usage.layer)),
  NodeRuntime.runMain({ teardown, disableErrorReporting: true })
)
