import { Effect, Layer } from "effect"
import type { AdapterName } from "../domain/AdapterName.ts"
import { CredentialMissing, Credentials, type GuestCredentials } from "./Credentials.ts"

const none: GuestCredentials = { upstream: null, env: {}, homeFiles: [] }

/** What each adapter is given: nothing is needed where nothing is said, and `null` is a missing credential. */
export const layer = (
  given: Partial<Readonly<Record<AdapterName, GuestCredentials | null>>> = {}
): Layer.Layer<Credentials> =>
  Layer.succeed(
    Credentials,
    Credentials.of({
      forRun: (_workflow, adapter) => {
        const credentials = given[adapter]
        return credentials === null
          ? Effect.fail(
              new CredentialMissing({ adapter, detail: "no credential", hint: "give it one in the layer" })
            )
          : Effect.succeed(credentials ?? none)
      }
    })
  )
