import { Config, ConfigProvider, Effect, Layer, Option, Redacted } from "effect"
import type { AdapterName } from "../domain/AdapterName.ts"
import { SafeFiles } from "../files/SafeFiles.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"
import { type Adapter, adapterOf, modelKeys } from "./adapters.ts"
import { CredentialMissing, Credentials, type GuestCredentials } from "./Credentials.ts"

/** Real ones have a few kilobytes. */
const MAX_CREDENTIAL_BYTES = 1024 * 1024

/** Tokens that could push, merge or publish as the operator: no guest is given one, whoever lists it. */
export const isGitHubToken = (name: string): boolean =>
  /^(GH|GITHUB)_(.*_)?(TOKEN|PAT)$|^(GH|GITHUB)(TOKEN|PAT)$/i.test(name)

const keysFor = (adapter: Adapter): string =>
  adapter.apiKeys === "any" ? "its provider's key" : adapter.apiKeys.join(" or ")

/** Credentials of the machine's user: forwarded variables, else the adapter's file below HOME. */
export const layer = Layer.effect(
  Credentials,
  Effect.gen(function* () {
    const files = yield* SafeFiles
    const provider = yield* ConfigProvider.ConfigProvider

    const variable = (name: string): Effect.Effect<Option.Option<string>> =>
      Config.String(name)
        .parse(provider)
        .pipe(Effect.option, Effect.map(Option.filter((value) => value.trim() !== "")))

    const forwarded = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
      const env: Record<string, Redacted.Redacted> = {}
      for (const name of new Set(names)) {
        if (isGitHubToken(name)) continue
        const value = yield* variable(name)
        if (Option.isSome(value)) env[name] = Redacted.make(value.value, { label: name })
      }
      return env
    })

    const readFile = Effect.fnUntraced(function* (adapter: Adapter, path: string) {
      const missing = (detail: string, todo = "sign in with it on this machine") =>
        new CredentialMissing({
          adapter: adapter.name,
          detail,
          hint: `${todo}, or set ${keysFor(adapter)} and list it in sandbox.forward_env`
        })
      const home = yield* variable("HOME")
      if (Option.isNone(home)) return yield* missing(`~/${path} cannot be found, because HOME is not set`)
      const { text } = yield* files.readText({ root: home.value }, path, MAX_CREDENTIAL_BYTES).pipe(
        Effect.mapError((error) => {
          switch (error.reason) {
            case "missing":
              return missing(`no credential: neither a forwarded key nor ~/${path}`)
            case "link":
              return missing(
                `~/${path} is, or lies behind, a symbolic link, and a credential is read through none`,
                "put a folder of its own and a copy of the file there"
              )
            default:
              return missing(`its credential file cannot be used: ${error.message}`)
          }
        })
      )
      return text.trim() === ""
        ? yield* missing(`~/${path} is empty`)
        : Redacted.make(text, { label: adapter.name })
    })

    /** The key of the one API that the adapter speaks stays here; a file of tokens cannot be stood before. */
    const proxied = Effect.fnUntraced(function* (workflow: WorkflowDefinition, adapter: Adapter) {
      if (adapter.proxied === null)
        return yield* new CredentialMissing({
          adapter: adapter.name,
          detail: "acp.credentials: proxy is not offered for it, because its model may be anybody's",
          hint: "set acp.credentials to staged, or use the adapter claude or codex"
        })
      const { api } = adapter.proxied
      const key = yield* variable(api.keyVariable)
      if (Option.isNone(key))
        return yield* new CredentialMissing({
          adapter: adapter.name,
          detail: `acp.credentials: proxy needs ${api.keyVariable}, which is not set`,
          hint: `set ${api.keyVariable} for symphony itself; to use a sign-in instead of a key, set acp.credentials to staged`
        })
      const url = Option.getOrElse(yield* variable(api.upstreamVariable), () => api.upstream).trim()
      if (!/^https?:\/\//.test(url) || !URL.canParse(url))
        return yield* new CredentialMissing({
          adapter: adapter.name,
          detail: `${api.upstreamVariable} is no http(s) address`,
          hint: "mend or unset it"
        })
      const withheld = new Set([...modelKeys, api.upstreamVariable])
      const guest: GuestCredentials = {
        upstream: {
          api,
          url: url.replace(/\/+$/, ""),
          key: Redacted.make(key.value, { label: api.keyVariable })
        },
        env: yield* forwarded(workflow.config.sandbox.forwardEnv.filter((name) => !withheld.has(name))),
        homeFiles: []
      }
      return guest
    })

    /** The adapter's file, unless a forwarded variable stands for it. */
    const staged = Effect.fnUntraced(function* (
      adapter: Adapter,
      path: string,
      names: ReadonlyArray<string>
    ) {
      const file = Effect.map(readFile(adapter, path), (content) => [{ path, content }])
      const { apiKeys } = adapter
      if (apiKeys !== "any") return names.some((name) => apiKeys.includes(name)) ? [] : yield* file
      // Whether one of the variables is the key of its provider, nobody here knows.
      return names.length === 0
        ? yield* file
        : yield* Effect.catch(file, (error) =>
            Effect.as(Effect.logDebug("no credential file goes with the variables", error), [])
          )
    })

    const forRun = Effect.fn("Credentials.forRun")(function* (
      workflow: WorkflowDefinition,
      name: AdapterName
    ) {
      const adapter = adapterOf(name)
      const { acp, sandbox } = workflow.config
      if (acp.credentials === "proxy" && !adapter.offline) return yield* proxied(workflow, adapter)
      const env = yield* forwarded(sandbox.forwardEnv)
      const homeFiles =
        // Who replaces the launch line signs in as the line says; the seed stages nothing then.
        adapter.offline || acp.command !== null || adapter.credentialFile === null
          ? []
          : yield* staged(adapter, adapter.credentialFile, Object.keys(env))
      const guest: GuestCredentials = { upstream: null, env, homeFiles }
      return guest
    })

    return Credentials.of({ forRun })
  })
)
