import { Context, type Effect, type Redacted, Schema } from "effect"
import type { AdapterName } from "../domain/AdapterName.ts"
import type { ModelApi } from "./modelApis.ts"
import type { WorkflowDefinition } from "../workflow/WorkflowConfig.ts"

/** Nothing that this adapter could sign in with was found on the host. Retrying does not help. */
export class CredentialMissing extends Schema.TaggedError<CredentialMissing>()("CredentialMissing", {
  adapter: Schema.String,
  detail: Schema.String,
  hint: Schema.String
}) {
  override get message(): string {
    return `adapter ${this.adapter}: ${this.detail} - ${this.hint}`
  }
}

/** What goes into a guest so that its agent can reach its model. */
export interface GuestCredentials {
  /** Null: the guest has the key itself. Else what the host stands before; the guest gets a placeholder. */
  readonly upstream: {
    readonly api: ModelApi
    /** Without a trailing slash. */
    readonly url: string
    readonly key: Redacted.Redacted
  } | null
  readonly env: Readonly<Record<string, string | Redacted.Redacted>>
  /** Placed into the guest's HOME, mode 0600, and gone with the sandbox. */
  readonly homeFiles: ReadonlyArray<{ readonly path: string; readonly content: Redacted.Redacted }>
}

/** The host's credentials, one file or variable an adapter, read anew for each run. */
export class Credentials extends Context.Service<
  Credentials,
  {
    readonly forRun: (
      workflow: WorkflowDefinition,
      adapter: AdapterName
    ) => Effect.Effect<GuestCredentials, CredentialMissing>
  }
>()("symphony/agent/Credentials") {}
