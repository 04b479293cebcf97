import { Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { demo } from "./demo/demo.ts"
import { doctor } from "./doctor.ts"
import { handoff } from "./handoff.ts"
import { run } from "./run.ts"

const port = Flag.String("port").pipe(
  Flag.withMetavar("N"),
  Flag.withAlias("p"),
  Flag.withDescription("Port of the dashboard, the API and MCP; 0 for any free one"),
  Flag.filterMap(
    (value) =>
      /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Option.some(Number(value)) : Option.none(),
    () => "a port from 0 to 65535"
  ),
  Flag.optional
)

const once = Flag.Boolean("once").pipe(
  Flag.withDescription("End when there is nothing left to do; exit code 1 when an issue is left"),
  Flag.withDefault(false)
)

const runCommand = (bin: string) =>
  Command.make(
    "run",
    {
      workflow: Argument.String("workflow").pipe(
        Argument.withDescription("The workflow file (default: WORKFLOW.md)"),
        Argument.withDefault("WORKFLOW.md")
      ),
      port,
      once
    },
    ({ once, port, workflow }) => run({ workflow, once, port: Option.getOrNull(port), bin })
  ).pipe(Command.withDescription("Work on the issues of a tracker (the default: `symphony WORKFLOW.md`)"))

const demoCommand = (bin: string) =>
  Command.make(
    "demo",
    {
      dir: Flag.String("dir").pipe(
        Flag.withDescription("Folder to make the sample project in; must not exist"),
        Flag.optional
      ),
      once,
      port,
      sandbox: Flag.Literals("sandbox", ["host", "bubblewrap", "smolvm"]).pipe(
        Flag.withDescription("What the agents run in"),
        Flag.withDefault("host")
      )
    },
    ({ dir, once, port, sandbox }) =>
      demo({ folder: Option.getOrNull(dir), once, port: Option.getOrNull(port), sandbox, bin })
  ).pipe(Command.withDescription("Show the main job on a sample project: scripted agents, no VM, no model"))

const handoffCommand = Command.make(
  "handoff",
  {
    identifier: Argument.String("identifier").pipe(
      Argument.withDescription("The issue; in a hook, by default the run that the hook belongs to"),
      Argument.optional
    ),
    workflow: Flag.String("workflow").pipe(
      Flag.withDescription("The workflow file (default: that of the hook, else WORKFLOW.md)"),
      Flag.optional
    )
  },
  ({ identifier, workflow }) =>
    handoff({ identifier: Option.getOrNull(identifier), workflow: Option.getOrNull(workflow) })
).pipe(
  Command.withDescription(
    "Hand over the work of an issue's latest finished run again: patch, bundle, pull request"
  )
)

const doctorCommand = Command.make(
  "doctor",
  {
    workflow: Argument.String("workflow").pipe(
      Argument.withDescription("The workflow file (default: WORKFLOW.md)"),
      Argument.withDefault("WORKFLOW.md")
    )
  },
  ({ workflow }) => doctor({ workflow })
).pipe(Command.withDescription("Check what this machine and project need, and say what to do about the rest"))

export const command = (bin: string) =>
  Command.make("symphony").pipe(
    Command.withDescription("Runs coding agents on the issues of a local Markdown tracker"),
    Command.withSubcommands([runCommand(bin), demoCommand(bin), handoffCommand, doctorCommand])
  )

const SUBCOMMANDS = new Set(["run", "demo", "handoff", "doctor"])

const ABOUT = new Set(["-h", "--help", "-v", "--version", "--completions"])

/** Flags of `run` whose value is a word of its own. */
const WITH_VALUE = new Set(["--port", "-p"])

const isKnownFlag = (word: string): boolean => /^(--port|-p|--once)(=|$)/.test(word)

/** The first word that is neither a flag nor the value of one. */
const operandOf = (
  args: ReadonlyArray<string>
): { readonly word: string; readonly at: number } | undefined => {
  const at = args.findIndex((word, index) => !word.startsWith("-") && !WITH_VALUE.has(args[index - 1] ?? ""))
  const word = args[at]
  return word === undefined ? undefined : { word, at }
}

const looksLikeFile = (word: string): boolean => /[./\\]/.test(word)

/**
 * `symphony [--once] [WORKFLOW.md]` means `symphony run`. A word that is neither a subcommand nor looks like a
 * file is left for the parser to refuse, alone: a mistyped subcommand is not a workflow.
 */
export const withDefaultCommand = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [first] = args
  if (first !== undefined && (SUBCOMMANDS.has(first) || ABOUT.has(first))) return args
  const operand = operandOf(args)
  const strange = args.some((word) => word.startsWith("-") && !isKnownFlag(word))
  if (operand === undefined || strange || looksLikeFile(operand.word)) return ["run", ...args]
  // What comes before a subcommand belongs behind it.
  if (SUBCOMMANDS.has(operand.word)) return [operand.word, ...args.toSpliced(operand.at, 1)]
  return [operand.word]
}
