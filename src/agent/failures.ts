import { Option, Schema } from "effect"
import type { ProcessExit } from "../sandbox/Sandboxes.ts"
import type { Adapter } from "./adapters.ts"
import { AgentError } from "./AgentSessions.ts"
import type { Launch } from "./launch.ts"
import { resetTime } from "./resetTime.ts"
import { oneLine } from "./text.ts"

/** A JSON-RPC error that an agent answered with. */
export interface PeerError {
  readonly code: number
  readonly message: string
  readonly data: unknown
}

/** ACP: sign in first. */
export const AUTH_REQUIRED = -32_000

const RATE_LIMIT = /\b429\b|rate.?limit|too many requests|usage limit|(?<!disk.)quota/i
/** No waiting helps: the account is out of money. Some vendors say it of a limit by the minute, with a time. */
const BILLING =
  /insufficient.quota|exceeded your current quota|credit balance is too low|payment required|billing (?:details|limit|hard limit)|billing_/i
const AUTH =
  /\b401\b|unauthori[sz]ed|authentication required|invalid (x-)?api.?key|incorrect api key|missing environment variable|please run \/login|not logged in/i

const encodeJson = Schema.encodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

const describe = (error: PeerError): string => {
  const data = error.data === undefined || error.data === null ? Option.none() : encodeJson(error.data)
  return oneLine([error.message, ...Option.toArray(data)].join(" "), 1000)
}

/** What a text about a failed turn tells of its reason. */
const classify = (text: string, code: number | null, now: number): Pick<AgentError, "reason" | "resetAt"> => {
  if (code === AUTH_REQUIRED || code === 401) return { reason: "auth", resetAt: null }
  const resetAt = resetTime(text, now)
  if (code === 402 || (resetAt === null && BILLING.test(text))) return { reason: "billing", resetAt: null }
  if (code === 429 || RATE_LIMIT.test(text)) return { reason: "rate_limit", resetAt }
  return { reason: AUTH.test(text) ? "auth" : "system", resetAt: null }
}

/** What to do about a credential that is missing or refused. */
const credentialHint = (launch: Launch): string => {
  const { apiKeys, credentialFile, proxied } = launch
  if (launch.offline) return ""
  if (launch.credentials === "proxy" && proxied !== null)
    return ` - its key is the ${proxied.api.keyVariable} that symphony itself was started with: start symphony with one that is good at its address`
  if (launch.own)
    return " - acp.command starts it, so no file is put in place for it: let the line sign in, or list the variable with its key in sandbox.forward_env"
  const keys = apiKeys === "any" ? "a key of its provider" : apiKeys.join(" or ")
  return ` - sign in on the host (~/${credentialFile ?? ""}) or set ${keys} and list it in sandbox.forward_env`
}

const hintFor = (reason: AgentError["reason"], launch: Launch): string =>
  reason === "auth"
    ? credentialHint(launch)
    : reason === "billing"
      ? " - its account cannot pay for the model: mend that at the vendor, or use another credential"
      : ""

/** An error that the agent answered a request with. */
export const fromPeer = (launch: Launch, doing: string, error: PeerError, now: number): AgentError => {
  const text = describe(error)
  const found = classify(text, error.code, now)
  const hint = hintFor(found.reason, launch)
  return new AgentError({ ...found, detail: `${launch.name} refused ${doing}: ${text}${hint}` })
}

/** A turn that "ended well" without having reached a model. */
export const fromEmptyTurn = (launch: Launch, lastMessage: string, now: number): AgentError => {
  const found = classify(lastMessage, null, now)
  const said = lastMessage.trim() === "" ? "it said nothing" : `it said: ${oneLine(lastMessage, 500)}`
  const hint = hintFor(found.reason, launch)
  return new AgentError({
    ...found,
    detail: `${launch.name} ended its turn without using its model; ${said}${hint}`
  })
}

const failure = (reason: AgentError["reason"], detail: string): AgentError =>
  new AgentError({ reason, detail, resetAt: null })

/** How a shell ends that finds no command of the name, or one that it may not run. */
const NOT_FOUND = new Set([126, 127])

/** From here on a shell's exit code is the number of the signal that ended its command. */
const SIGNALLED = 128

/** The agent's process ended, or its pipes did. */
export const ended = (
  launch: Launch,
  exit: ProcessExit | null,
  stderr: ReadonlyArray<string>,
  answered: boolean
): AgentError => {
  const last = stderr.length === 0 ? "" : `; its last lines: ${oneLine(stderr.join(" | "), 1000)}`
  if (exit?.lost === true)
    return failure("lost", `${launch.name} was lost with its sandbox: ${oneLine(exit.detail, 200)}${last}`)
  const code = exit?.code ?? null
  if (!answered && code !== null && NOT_FOUND.has(code))
    return failure(
      "not_found",
      `${launch.name} could not be started, its command \`${oneLine(launch.command, 200)}\` is not there (exit code ${code}) - ` +
        (launch.own
          ? `mend acp.command: the sandbox must find its program${last}`
          : `install it where the sandbox finds it on PATH (${launch.install}), or set acp.command${last}`)
    )
  const how =
    exit === null
      ? "closed its output"
      : exit.code === null
        ? `ended (${oneLine(exit.detail, 200)})`
        : `ended with exit code ${exit.code}`
  const reason = answered ? "exit" : code !== null && code < SIGNALLED ? "launch" : "start"
  return failure(reason, `${launch.name} ${how}${last}`)
}

export const timedOut = (
  reason: "read_timeout" | "prompt_timeout" | "stall_timeout",
  adapter: Adapter,
  milliseconds: number,
  doing: string
): AgentError =>
  failure(
    reason,
    {
      read_timeout: `${adapter.name} did not answer ${doing} within ${milliseconds} ms`,
      prompt_timeout: `${adapter.name} was stopped: its turn took more than ${milliseconds} ms`,
      stall_timeout: `${adapter.name} was stopped: it made no progress for ${milliseconds} ms`
    }[reason]
  )

export const agentFailure = failure
