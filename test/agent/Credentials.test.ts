import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, FileSystem, Layer, Redacted } from "effect"
import { Credentials } from "../../src/agent/Credentials.ts"
import { layer as hostLayer } from "../../src/agent/HostCredentials.ts"
import { layer as memoryLayer } from "../../src/agent/MemoryCredentials.ts"
import type { AdapterName } from "../../src/domain/AdapterName.ts"
import { realLayer } from "../sandbox/layers.ts"
import { credentialsContract } from "./Credentials.contract.ts"
import { testWorkflow, type WorkflowOverrides } from "../support/workflow.ts"

interface Given {
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string>>
  readonly links?: Readonly<Record<string, string>>
  readonly workflow?: WorkflowOverrides
}

/** Credentials of a machine with these variables and files below HOME. */
const hostOf = Effect.fnUntraced(function* (given: Omit<Given, "workflow">) {
  const fs = yield* FileSystem.FileSystem
  const home = yield* Effect.flatMap(fs.makeTempDirectoryScoped(), (path) => fs.realPath(path))
  for (const [path, text] of Object.entries(given.files ?? {})) {
    yield* fs.makeDirectory(`${home}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true })
    yield* fs.writeFileString(`${home}/${path}`, text)
  }
  for (const [path, target] of Object.entries(given.links ?? {}))
    yield* fs.symlink(`${home}/${target}`, `${home}/${path}`)
  const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ HOME: home, ...given.env }))
  const built = yield* Layer.build(hostLayer.pipe(Layer.provide(environment)))
  return Context.get(built, Credentials)
})

/** What a run gets there. */
const onHost = Effect.fnUntraced(function* (adapter: AdapterName, given: Given = {}) {
  return yield* (yield* hostOf(given)).forRun(testWorkflow(given.workflow), adapter)
}, Effect.provide(realLayer))

const values = (env: Readonly<Record<string, string | Redacted.Redacted>>) =>
  Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      Redacted.isRedacted(value) ? Redacted.value(value) : value
    ])
  )

describe("credentials of the host", () => {
  it.effect("are the one file of the adapter, for its place in the guest's HOME", () =>
    Effect.gen(function* () {
      const files = { ".claude/.credentials.json": "claude's", ".codex/auth.json": "codex's" }
      const guest = yield* onHost("claude", { files })
      assert.deepStrictEqual(guest.env, {})
      assert.deepStrictEqual(
        guest.homeFiles.map(({ path, content }) => [path, Redacted.value(content)]),
        [[".claude/.credentials.json", "claude's"]]
      )
      const codex = yield* onHost("codex", { files })
      assert.strictEqual(codex.homeFiles[0]?.path, ".codex/auth.json")
    })
  )

  it.effect("are a forwarded key; then no file is demanded and none is copied", () =>
    Effect.gen(function* () {
      const env = { ANTHROPIC_API_KEY: "sk-1", OPENAI_API_KEY: "" }
      const guest = yield* onHost("claude", { env, files: { ".claude/.credentials.json": "secret" } })
      assert.deepStrictEqual(values(guest.env), { ANTHROPIC_API_KEY: "sk-1" })
      assert.deepStrictEqual(guest.homeFiles, [])
      assert.notInclude(JSON.stringify(guest), "sk-1")
    })
  )

  it.effect(
    "are both where nobody knows whose key a variable is: the file when it is there, the variables always",
    () =>
      Effect.gen(function* () {
        const env = { OPENCODE_CONFIG_CONTENT: "{}" }
        const workflow = { config: { sandbox: { forwardEnv: ["OPENCODE_CONFIG_CONTENT"] } } }
        const file = ".local/share/opencode/auth.json"
        const signedIn = yield* onHost("opencode", { env, workflow, files: { [file]: "opencode's" } })
        assert.deepStrictEqual(values(signedIn.env), env)
        assert.deepStrictEqual(
          signedIn.homeFiles.map(({ path }) => path),
          [file]
        )
        assert.deepStrictEqual((yield* onHost("opencode", { env, workflow })).homeFiles, [])
        const nothing = yield* Effect.flip(onHost("opencode", { workflow }))
        assert.include(nothing.message, `~/${file}`)
      })
  )

  it.effect("are missing where the variable is there and empty", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(onHost("claude", { env: { ANTHROPIC_API_KEY: "" } }))
      assert.strictEqual(error._tag, "CredentialMissing")
    })
  )

  it.effect("are not another provider's key", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(onHost("codex", { env: { ANTHROPIC_API_KEY: "sk-1" } }))
      assert.match(error.message, /~\/\.codex\/auth\.json.*OPENAI_API_KEY.*forward_env/)
    })
  )

  it.effect("never hold a variable that is not listed, or a token of GitHub even if it is", () =>
    Effect.gen(function* () {
      const guest = yield* onHost("claude", {
        env: {
          ANTHROPIC_API_KEY: "a",
          UNLISTED: "b",
          GITHUB_TOKEN: "c",
          GH_TOKEN: "d",
          GH_ENTERPRISE_TOKEN: "e"
        },
        workflow: {
          config: {
            sandbox: { forwardEnv: ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN"] }
          }
        }
      })
      assert.deepStrictEqual(Object.keys(guest.env), ["ANTHROPIC_API_KEY"])
    })
  )

  it.effect("are not read through a link, nor when empty or too large", () =>
    Effect.gen(function* () {
      const file = ".claude/.credentials.json"
      const linked = yield* Effect.flip(
        onHost("claude", {
          files: { "elsewhere/.credentials.json": "secret" },
          links: { ".claude": "elsewhere" }
        })
      )
      assert.match(linked.message, /~\/\.claude\/\.credentials\.json .* symbolic link/)
      assert.match(
        linked.message,
        / - put a folder of its own and a copy of the file there, or set ANTHROPIC_API_KEY/
      )
      const empty = yield* Effect.flip(onHost("claude", { files: { [file]: "\n" } }))
      assert.include(empty.message, "is empty")
      const large = yield* Effect.flip(onHost("claude", { files: { [file]: "x".repeat(2 * 1024 * 1024) } }))
      assert.include(large.message, "cannot be used")
    })
  )

  it.effect("are not needed by the demo agent, nor by a launch line of one's own", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* onHost("demo")).homeFiles, [])
      const own = yield* onHost("claude", { workflow: { config: { acp: { command: "my-claude" } } } })
      assert.deepStrictEqual(own.homeFiles, [])
    })
  )
})

describe("a key that stays on the host", () => {
  const proxied = { config: { acp: { credentials: "proxy" } } } as const

  it.effect("is not given to the guest, nor is the key of any other model", () =>
    Effect.gen(function* () {
      const forwardEnv = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "EDITOR"]
      const guest = yield* onHost("claude", {
        env: { ANTHROPIC_API_KEY: "canary", OPENAI_API_KEY: "canary", EDITOR: "ed" },
        files: { ".claude/.credentials.json": "canary" },
        workflow: { config: { ...proxied.config, sandbox: { forwardEnv } } }
      })
      assert.deepStrictEqual(values(guest.env), { EDITOR: "ed" })
      assert.deepStrictEqual(guest.homeFiles, [])
      assert.strictEqual(guest.upstream?.url, "https://api.anthropic.com")
    })
  )

  it.effect("goes to the gateway that the operator names", () =>
    Effect.gen(function* () {
      const env = { OPENAI_API_KEY: "canary", OPENAI_BASE_URL: "https://gateway.example/v1/" }
      const guest = yield* onHost("codex", { env, workflow: proxied })
      assert.strictEqual(guest.upstream?.url, "https://gateway.example/v1")
    })
  )

  it.effect("is demanded: a signed-in file, or an agent of unknown models, is no way round", () =>
    Effect.gen(function* () {
      const signedIn = { files: { ".codex/auth.json": "tokens" }, workflow: proxied }
      const noKey = yield* Effect.flip(onHost("codex", signedIn))
      assert.match(noKey.message, /OPENAI_API_KEY, which is not set.*acp\.credentials to staged/)
      const opencode = yield* Effect.flip(onHost("opencode", { workflow: proxied }))
      assert.match(opencode.message, /not offered/)
      assert.isNull((yield* onHost("demo", { workflow: proxied })).upstream)
    })
  )
})

describe("credentials of the host, as any", () => {
  credentialsContract(({ key, signIn }) =>
    hostOf({
      env: key === undefined ? {} : { ANTHROPIC_API_KEY: key },
      files: signIn === undefined ? {} : { ".claude/.credentials.json": signIn }
    }).pipe(Effect.provide(realLayer))
  )
})

describe("credentials in memory, as any", () => {
  credentialsContract(({ key, signIn }) => {
    const given =
      key === undefined && signIn === undefined
        ? null
        : {
            upstream: null,
            env: key === undefined ? {} : { ANTHROPIC_API_KEY: Redacted.make(key) },
            homeFiles:
              signIn === undefined
                ? []
                : [{ path: ".claude/.credentials.json", content: Redacted.make(signIn) }]
          }
    return Effect.map(Layer.build(memoryLayer({ claude: given })), (built) => Context.get(built, Credentials))
  })
})
