import type { AdapterName } from "../domain/AdapterName.ts"
import { anthropic, type ModelApi, openai } from "./modelApis.ts"
import { demoCommand, demoPaths } from "./demo/launch.ts"

/** What the `usage` of a prompt's answer means. */
export type UsageSemantics =
  /** The sum over the turn's requests; a finished turn without it means that no request succeeded. */
  | "turn"
  /** As `turn`, but one of the packages of that name never reports: only `null` and 0 mean failure. */
  | "turn_or_absent"
  /** The last request only: a lower bound. */
  | "last_request"
  /** Made up by a script. */
  | "scripted"

/** What the running `cost` of an agent adds up. */
export type CostSemantics =
  /** What its process has spent: a session that is taken up by a new one begins at 0. */
  | "process"
  /** What the session has ever cost, whoever took it up. */
  | "session"

/** An agent program as data: all that symphony knows of one agent and not of the others. */
export interface Adapter {
  readonly name: AdapterName
  /** Shell line that starts it in a sandbox. */
  readonly command: string
  /** The program of that line, which is looked for on PATH; null where it is named by its path. */
  readonly program: string | null
  /**
   * Where it keeps its sessions, relative to HOME: these outlive a run, so that the next one of the issue can
   * take its session up. Never where it keeps a credential.
   */
  readonly sessionPaths: ReadonlyArray<string>
  /** How a person gets it; for messages. */
  readonly install: string
  /** Modes in which it asks nobody, best first. Empty: its default asks nobody. */
  readonly unattendedModes: ReadonlyArray<string>
  /** A model that it would choose by itself although nobody asked for it; such a session is refused. */
  readonly unwantedModel: RegExp | null
  /** Variables that its process always gets. */
  readonly env: Readonly<Record<string, string>>
  /** Forwarded variables of which one is a credential; `any`: its provider is the operator's choice. */
  readonly apiKeys: ReadonlyArray<string> | "any"
  /** `authenticate` methods that take such a variable, tried once when a session is refused for want of one. */
  readonly apiKeyMethods: ReadonlyArray<string>
  /** How it is led to its model through the host; null where nobody knows how. */
  readonly proxied: {
    readonly api: ModelApi
    /** Shell line before its own: makes `url`, which holds no quote, the address of its API. */
    readonly prelude: (url: string) => string
  } | null
  /** The one file it signs in with, relative to HOME, on the host and in the guest. */
  readonly credentialFile: string | null
  /** Needs no credential at all. */
  readonly offline: boolean
  readonly usage: UsageSemantics
  /** How long it may take to start, or to open a session, on a busy machine: milliseconds, where nobody says else. */
  readonly readTimeoutMs: number
  /** Null: it never says. */
  readonly cost: CostSemantics | null
  /** Host files and folders that its process must be able to read at the same path. */
  readonly readonlyPaths: ReadonlyArray<string>
}

const adapters: Readonly<Record<AdapterName, Adapter>> = {
  claude: {
    name: "claude",
    command: "exec claude-agent-acp",
    program: "claude-agent-acp",
    sessionPaths: [".claude/projects"],
    install: "npm install -g @agentclientprotocol/claude-agent-acp",
    unattendedModes: ["bypassPermissions"],
    unwantedModel: null,
    // As root, and without IS_SANDBOX, it does not offer bypassPermissions. Its default of many retries is
    // silence for minutes. Titles and suggestions for what a person might say next are requests to the model
    // that nobody here reads.
    env: {
      IS_SANDBOX: "1",
      DISABLE_AUTOUPDATER: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      CLAUDE_CODE_DISABLE_TERMINAL_TITLE: "1",
      CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION: "false",
      CLAUDE_CODE_MAX_RETRIES: "2"
    },
    apiKeys: ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
    apiKeyMethods: [],
    proxied: { api: anthropic, prelude: (url) => `export ANTHROPIC_BASE_URL='${url}'` },
    credentialFile: ".claude/.credentials.json",
    offline: false,
    usage: "turn",
    readTimeoutMs: 30_000,
    cost: "process",
    readonlyPaths: []
  },
  codex: {
    name: "codex",
    command: "exec codex-acp",
    program: "codex-acp",
    sessionPaths: [".codex/sessions"],
    install: "npm install -g @agentclientprotocol/codex-acp",
    unattendedModes: ["agent-full-access", "full-access"],
    unwantedModel: null,
    env: {},
    apiKeys: ["OPENAI_API_KEY", "CODEX_API_KEY"],
    apiKeyMethods: ["openai-api-key", "api-key", "codex-api-key"],
    // Neither package takes the address from a variable, and only one of them as an argument. Keys of the top level
    // come first; the rest of a configuration that the image brings stays.
    proxied: {
      api: openai,
      prelude: (url) =>
        'cd "$HOME" && mkdir -p .codex && ' +
        `{ echo 'openai_base_url = "${url}"'; grep -sv '^ *openai_base_url *=' .codex/config.toml || true; } > .codex/config.new && ` +
        'mv -f .codex/config.new .codex/config.toml && cd "$OLDPWD"'
    },
    credentialFile: ".codex/auth.json",
    offline: false,
    usage: "turn_or_absent",
    readTimeoutMs: 30_000,
    cost: null,
    readonlyPaths: []
  },
  opencode: {
    name: "opencode",
    command: "exec opencode acp",
    program: "opencode",
    sessionPaths: [".local/share/opencode/sessions", ".local/share/opencode/storage"],
    install: "npm install -g opencode-ai",
    unattendedModes: [],
    // Without a configured provider it uses its vendor's hosted free model.
    unwantedModel: /^opencode\//,
    // It waits for a list of models from its vendor when it starts. Its sessions would lie beside its credentials.
    env: {
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DB: "sessions/opencode.db"
    },
    apiKeys: "any",
    apiKeyMethods: [],
    proxied: null,
    credentialFile: ".local/share/opencode/auth.json",
    offline: false,
    usage: "last_request",
    // 24 s were measured.
    readTimeoutMs: 60_000,
    cost: "session",
    readonlyPaths: []
  },
  demo: {
    name: "demo",
    command: demoCommand,
    program: null,
    sessionPaths: [],
    install: "npm run build",
    unattendedModes: ["unattended"],
    unwantedModel: null,
    env: {},
    apiKeys: [],
    apiKeyMethods: [],
    proxied: null,
    credentialFile: null,
    offline: true,
    usage: "scripted",
    readTimeoutMs: 30_000,
    cost: null,
    readonlyPaths: demoPaths
  }
}

/** The programs that a launch line starts, as far as they can be told from it. */
export const programsOf = (adapter: Adapter, command: string | null): ReadonlyArray<string> => {
  const own = adapter.program === null ? [] : [adapter.program]
  const first = /^\s*(?:exec\s+)?([\w./@+-]+)(?=\s|$)/.exec(command ?? "")?.[1]
  return first === undefined || own.includes(first) ? own : [first, ...own]
}

/** Variables that hold the key of a model, whichever adapter's: where the host keeps the key, no guest gets one. */
export const modelKeys: ReadonlySet<string> = new Set(
  Object.values(adapters).flatMap(({ apiKeys }) => (apiKeys === "any" ? [] : apiKeys))
)

export const adapterOf = (name: AdapterName): Adapter => adapters[name]
