import { join } from "node:path"

/** A published agent: its command, and how it is led to a scripted model. */
export interface RealAgent {
  readonly name: "claude" | "codex" | "codex2" | "opencode"
  readonly adapter: "claude" | "codex" | "opencode"
  /** The command on PATH. */
  readonly bin: string
  /** Variables that the operator sets and forwards so that the agent reaches `url` with `key`. */
  readonly env: (url: string, key: string | null) => Readonly<Record<string, string>>
  /** Variables of symphony alone with `acp.credentials: proxy`; null where that is not offered. */
  readonly proxied: ((url: string, key: string) => Readonly<Record<string, string>>) | null
  /** `acp.command`, where variables are not enough. */
  readonly command: (url: string) => string | null
}

const openCodeConfig = (url: string) =>
  JSON.stringify({
    $schema: "https://opencode.ai/config.json",
    provider: {
      scripted: {
        npm: "@ai-sdk/openai-compatible",
        name: "Scripted",
        options: { baseURL: `${url}/v1`, apiKey: "{env:SCRIPTED_API_KEY}" },
        models: {
          "scripted-model": {
            name: "Scripted",
            limit: { context: 100_000, output: 8000 },
            // Dollars for a million tokens.
            cost: { input: 2, output: 10 }
          }
        }
      }
    },
    model: "scripted/scripted-model",
    small_model: "scripted/scripted-model",
    share: "disabled",
    autoupdate: false
  })

const keyed = (name: string, key: string | null): Readonly<Record<string, string>> =>
  key === null ? {} : { [name]: key }

/** Neither package of codex takes a base URL from a variable, and only one takes it as an argument. */
const codexCommand = (url: string): string =>
  `mkdir -p "$HOME/.codex" && echo 'openai_base_url = "${url}/v1"' > "$HOME/.codex/config.toml" && exec codex-acp`

const all: ReadonlyArray<RealAgent> = [
  {
    name: "claude",
    adapter: "claude",
    bin: "claude-agent-acp",
    env: (url, key) => ({ ANTHROPIC_BASE_URL: url, ...keyed("ANTHROPIC_API_KEY", key) }),
    proxied: (url, key) => ({ ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: key }),
    command: () => null
  },
  {
    name: "codex",
    adapter: "codex",
    bin: "codex-acp",
    env: (_url, key) => keyed("OPENAI_API_KEY", key),
    proxied: (url, key) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key }),
    command: codexCommand
  },
  {
    name: "codex2",
    adapter: "codex",
    bin: "codex-acp",
    env: (_url, key) => keyed("OPENAI_API_KEY", key),
    proxied: (url, key) => ({ OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key }),
    command: codexCommand
  },
  {
    name: "opencode",
    adapter: "opencode",
    bin: "opencode",
    env: (url, key) => ({ OPENCODE_CONFIG_CONTENT: openCodeConfig(url), ...keyed("SCRIPTED_API_KEY", key) }),
    proxied: null,
    command: () => null
  }
]

/** What scripts/test-agents.mjs has installed where. */
interface Installed {
  readonly all: boolean
  /** Folder of the `node` of Node 24. */
  readonly node: string
  readonly folders: Readonly<Record<string, string>>
  /** Where what was said is kept. */
  readonly wire: string
}

const { SYMPHONY_AGENTS: given, SYMPHONY_AGENTS_ONLY: only = "" } = process.env
if (given === undefined) throw new Error("start these tests by `npm run test:agents`")
export const installed: Installed = JSON.parse(given)

/** The agents of this run: one of each family, or all. */
export const agents: ReadonlyArray<RealAgent> = all.filter(
  ({ name }) => installed.folders[name] !== undefined && (only === "" || only.split(",").includes(name))
)

/** The folder of the programs that a package brings. */
export const binFolder = (name: string): string => join(installed.folders[name] ?? "", "node_modules", ".bin")
