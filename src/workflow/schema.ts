import { Schema, type SchemaAST, SchemaTransformation } from "effect"
import { stateNameFault } from "../domain/names.ts"
import { endpointIn } from "../domain/Endpoint.ts"
import { StateRole } from "../domain/State.ts"
import { key, requiredKey } from "./keys.ts"

/** The longest delay that the timers of Node take. */
const LONGEST_MS = 2_147_483_647

/** A whole number, also as a text, which is how 0.1.0 took it. */
const integer = (rule: SchemaAST.Check<number>) => {
  const number = Schema.Int.pipe(Schema.check(rule))
  return Schema.Union([
    number,
    Schema.String.pipe(
      Schema.check(Schema.isPattern(/^\s*[-+]?\d+\s*$/)),
      Schema.decodeTo(number, SchemaTransformation.numberFromString)
    )
  ])
}

const whole = (minimum: number, maximum: number) => integer(Schema.isBetween({ minimum, maximum }))

const milliseconds = whole(1, LONGEST_MS)
const MILLISECONDS = `a whole number of milliseconds from 1 to ${LONGEST_MS}`
const MILLISECONDS_OR_OFF = `a whole number of milliseconds up to ${LONGEST_MS}; 0 or less turns it off`
const count = whole(1, 1_000_000)
const COUNT = "a whole number above 0"

const notBlank = Schema.String.pipe(Schema.check(Schema.isPattern(/\S/)))
const path = Schema.String.pipe(Schema.check(Schema.isPattern(/^(?=.*\S)[^\0]*$/s)))
const PATH = "a path (`~` and `$NAME` are expanded)"
const script = Schema.NullOr(Schema.String)
const SCRIPT = "a shell script or null"

const STATE_NAME = "a folder name (no `/`, no leading dot, no invisible characters)"
const stateName = Schema.String.pipe(
  Schema.check(Schema.makeFilter((name: string) => stateNameFault(name) === undefined))
)
const stateNames = Schema.Array(stateName.annotate({ expected: STATE_NAME }))

/** A guest never needs one: symphony pushes and opens the pull request on the host. */
const GITHUB_TOKEN = /^(GH|GITHUB)_(\w*_)?(TOKEN|PAT)$/i
const environmentName = Schema.String.pipe(
  Schema.check(
    Schema.isPattern(/^[A-Za-z_][A-Za-z0-9_]*$/),
    Schema.makeFilter((name: string) => !GITHUB_TOKEN.test(name))
  )
)
const ENVIRONMENT_NAMES = "a list of environment variable names"
const environmentNames = Schema.Array(
  environmentName.annotate({ expected: "the name of an environment variable, and not of a GitHub token" })
)

const httpUrl = Schema.String.pipe(Schema.check(Schema.isPattern(/^https?:\/\/[^\s/@?#]+(\/[^\s?#]*)?$/)))
const endpoint = Schema.String.pipe(
  Schema.check(Schema.makeFilter((text: string) => endpointIn(text) !== null))
)
const adapters = ["claude", "codex", "opencode", "demo"] as const
export const ADAPTERS: ReadonlyArray<string> = adapters

const Tracker = Schema.Struct({
  kind: requiredKey("local", Schema.Literal("local")),
  root: key(PATH, path, "./issues"),
  active_states: key("a list of state names, at least one", stateNames, ["Todo", "In Progress"]),
  terminal_states: key("a list of state names, at least one", stateNames, [
    "Closed",
    "Cancelled",
    "Canceled",
    "Duplicate",
    "Done"
  ]),
  required_labels: key(
    "a list of labels",
    Schema.Array(notBlank.annotate({ expected: "a label that is not blank" })),
    []
  ),
  provider: key("a map", Schema.Record(Schema.String, Schema.Unknown), {})
})

const State = Schema.Struct({
  role: requiredKey("active, holding or terminal", StateRole),
  adapter: key("claude, codex, opencode, demo or null", Schema.NullOr(Schema.Literals(adapters)), null),
  model: key("a model name or null", Schema.NullOr(Schema.String), null),
  max_turns: key(`${COUNT}, or null`, Schema.NullOr(count), null),
  max_concurrent: key(`${COUNT}, or null`, Schema.NullOr(count), null),
  transitions: key("a list of declared states, or null for all", Schema.NullOr(stateNames), null),
  on_start: key("a declared active state, or null", Schema.NullOr(stateName), null)
})

const Polling = Schema.Struct({ interval_ms: key(MILLISECONDS, milliseconds, 30_000) })

const Workspace = Schema.Struct({
  root: key(PATH, Schema.NullOr(path), null, "$TMPDIR/symphony_workspaces")
})

const StateFolder = Schema.Struct({ root: key(PATH, path, "./.symphony") })

const Hooks = Schema.Struct({
  after_create: key(SCRIPT, script, null),
  before_run: key(SCRIPT, script, null),
  after_run: key(SCRIPT, script, null),
  before_remove: key(SCRIPT, script, null),
  timeout_ms: key(MILLISECONDS, milliseconds, 60_000)
})

const Agent = Schema.Struct({
  max_concurrent_agents: key(COUNT, count, 10),
  max_turns: key(COUNT, count, 20),
  max_sessions_per_issue: key(COUNT, count, 20),
  max_retry_backoff_ms: key(MILLISECONDS, milliseconds, 300_000),
  max_concurrent_agents_by_state: key(
    `a map from state to ${COUNT}`,
    Schema.Record(Schema.String, count.annotate({ expected: COUNT })),
    {}
  ),
  circuit_breaker_threshold: key(
    "0 (off) or a whole number above 1",
    integer(Schema.makeFilter((n: number) => n === 0 || n > 1)),
    5
  ),
  steering_hold_ms: key(
    `a whole number of milliseconds from 0 to ${LONGEST_MS}`,
    whole(0, LONGEST_MS),
    300_000
  ),
  memory_admission: key("true or false", Schema.Boolean, false)
})

const Acp = Schema.Struct({
  adapter: key("claude, codex, opencode or demo", notBlank, "claude"),
  command: key("a command line that is not blank, or null", Schema.NullOr(notBlank), null),
  shell: key("the name of a shell", notBlank, "bash"),
  model: key("a model name or null", Schema.NullOr(Schema.String), null),
  transport: key("auto, stdio or bridge", Schema.Literals(["auto", "stdio", "bridge"]), "auto"),
  credentials: key("staged or proxy", Schema.Literals(["staged", "proxy"]), "staged"),
  prompt_timeout_ms: key(MILLISECONDS, milliseconds, 3_600_000),
  read_timeout_ms: key(`${MILLISECONDS}, or null`, Schema.NullOr(milliseconds), null),
  stall_timeout_ms: key(MILLISECONDS_OR_OFF, whole(-LONGEST_MS, LONGEST_MS), 300_000)
})

const FORWARDED = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"]

const Sandbox = Schema.Struct({
  kind: key("smolvm, bubblewrap or host", Schema.Literals(["smolvm", "bubblewrap", "host"]), "smolvm"),
  net: key("true or false", Schema.NullOr(Schema.Boolean), null, "true"),
  forward_env: key(ENVIRONMENT_NAMES, Schema.NullOr(environmentNames), null, JSON.stringify(FORWARDED))
})

const Smolvm = Schema.Struct({
  image: key("an image name or null", Schema.NullOr(notBlank), null),
  from: key(`${PATH}, or null`, Schema.NullOr(path), null),
  cpus: key(COUNT, whole(1, 1024), 2),
  mem_mib: key("a whole number of MiB, at least 128", whole(128, 16_777_216), 2048),
  net: key("true or false", Schema.NullOr(Schema.Boolean), null, "as sandbox.net"),
  bin_path: key(`${PATH}, or null`, Schema.NullOr(path), null),
  volumes: key(
    "a list of {host, guest, readonly}",
    Schema.Array(
      Schema.Struct({
        host: requiredKey(PATH, path),
        guest: requiredKey(
          "an absolute path in the guest",
          Schema.String.pipe(Schema.check(Schema.isPattern(/^\/[^\0:]*$/)))
        ),
        readonly: key("true or false", Schema.Boolean, false)
      })
    ),
    []
  ),
  forward_env: key(ENVIRONMENT_NAMES, Schema.NullOr(environmentNames), null, "as sandbox.forward_env"),
  endpoint: key("unix:///absolute/path, http://host:port or null", Schema.NullOr(endpoint), null)
})

const Handoff = Schema.Struct({
  mode: key(
    "auto, patch, pull_request or none",
    Schema.Literals(["auto", "patch", "pull_request", "none"]),
    "auto"
  )
})

const Server = Schema.Struct({
  port: key("a port from 0 to 65535, or null", Schema.NullOr(whole(0, 65_535)), null),
  host: key("an address to listen on", notBlank, "127.0.0.1"),
  auth: key("token or none", Schema.Literals(["token", "none"]), "token"),
  allowed_hosts: key(
    "a list of host names",
    Schema.Array(
      Schema.String.pipe(Schema.check(Schema.isPattern(/^[^\s/@]+$/))).annotate({ expected: "a host name" })
    ),
    ["localhost", "127.0.0.1", "[::1]"]
  )
})

const Mcp = Schema.Struct({
  enabled: key("true (without its tools an agent cannot finish)", Schema.Literal(true), true),
  host: key("a host name", notBlank, "127.0.0.1"),
  host_url: key("an http(s) URL without query or credentials, or null", Schema.NullOr(httpUrl), null)
})

/**
 * The front matter of WORKFLOW.md as it is written. Every section is there when this decodes: a missing or
 * empty one counts as `{}`. The one list of keys: messages, suggestions and the test of
 * WORKFLOW.template.md read it.
 */
export const FrontMatterKeys = Schema.Struct({
  tracker: Tracker,
  states: key(
    "a map from state name to {role, …}",
    Schema.NullOr(Schema.Record(Schema.String, State)),
    null,
    "from tracker.active_states and tracker.terminal_states"
  ),
  polling: Polling,
  workspace: Workspace,
  state: StateFolder,
  hooks: Hooks,
  agent: Agent,
  acp: Acp,
  sandbox: Sandbox,
  smolvm: Smolvm,
  handoff: Handoff,
  server: Server,
  mcp: Mcp
})
export type FrontMatterKeys = typeof FrontMatterKeys.Type
export type WrittenState = typeof State.Type

export const DEFAULT_FORWARD_ENV: ReadonlyArray<string> = FORWARDED
export const isStateName = Schema.is(stateName)
export { STATE_NAME }
