import { DateTime, Option, Schema } from "effect"
import type { Adapter } from "./adapters.ts"
import { AgentError } from "./AgentSessions.ts"
import type { Launch } from "./launch.ts"
import { oneLine } from "./text.ts"

/** A JSON-RPC error that an agent answered with. */
export interface PeerError {
  readonly code: number
  readonly message: string
  readonly data: unknown
}

/** ACP: sign in first. */
export const AUTH_REQUIRED = -32_000

const RATE_LIMIT = /\b429\b|rate.?limit|too many requests|usage limit|quota/i
const AUTH =
  /\b401\b|unauthori[sz]ed|authentication required|invalid (x-)?api.?key|incorrect api key|missing environment variable|please run \/login|not logged in/i

const encodeJson = Schema.encodeUnknownOption(Schema.fromJsonString(Schema.Unknown))

const describe = (error: PeerError): string => {
  const data = error.data === undefined || error.data === null ? Option.none() : encodeJson(error.data)
  return oneLine([error.message, ...Option.toArray(data)].join(" "), 1000)
}

const unit = (name: string | undefined): number =>
  name === undefined || name === "s" || name.startsWith("sec")
    ? 1000
    : name === "ms" || name.startsWith("milli")
      ? 1
      : name.startsWith("m")
        ? 60_000
        : 3_600_000

/** `1m3.5s`, `20 seconds`, `90`: milliseconds. */
const durationIn = (text: string): number | null => {
  let total: number | null = null
  for (const [, amount, name] of text.matchAll(
    /(\d+(?:\.\d+)?)\s*(ms|milli\w*|s(?:ec\w*)?|m(?:in\w*)?|h(?:ours?)?)?\s*/gi
  ))
    total = (total ?? 0) + Number(amount) * unit(name?.toLowerCase())
  return total
}

/** Seconds and milliseconds since the epoch are told apart by their size. */
const epoch = (value: number): number => (value < 100_000_000_000 ? value * 1000 : value)

/** When a rate limit ends, in epoch milliseconds, from what agents are known to write; `null` if they do not say. */
export const resetTime = (text: string, now: number): number | null => {
  const wait =
    /(?:try again|retry|resets?) in ((?:\d+(?:\.\d+)?\s*(?:ms|milli\w*|s(?:ec\w*)?|m(?:in\w*)?|h(?:ours?)?)?\s*)+)/i.exec(
      text
    ) ?? /retry.?after(?:_?(?:seconds|s))?["']?\s*[:=]?\s*["']?(\d+(?:\.\d+)?)/i.exec(text)
  if (wait?.[1] !== undefined) {
    const duration = durationIn(wait[1])
    if (duration !== null) return now + duration
  }
  const stamp = /(?:reset\w*["']?\s*[:=]?\s*["']?|limit reached\s*\|\s*)(\d{10,13})\b/i.exec(text)
  if (stamp?.[1] !== undefined) return epoch(Number(stamp[1]))
  const iso = /reset\w*["']?\s*(?:at|on)?\s*[:=]?\s*["']?(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))/i.exec(
    text
  )
  return iso?.[1] === undefined
    ? null
    : Option.getOrNull(Option.map(DateTime.make(iso[1]), DateTime.toEpochMillis))
}

/** What a text about a failed turn tells of its reason. */
const classifyText = (text: string, now: number): Pick<AgentError, "reason" | "resetAt"> =>
  RATE_LIMIT.test(text)
    ? { reason: "rate_limit", resetAt: resetTime(text, now) }
    : { reason: AUTH.test(text) ? "auth" : "system", resetAt: null }

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

/** An error that the agent answered a request with. */
export const fromPeer = (launch: Launch, doing: string, error: PeerError, now: number): AgentError => {
  const text = describe(error)
  const found =
    error.code === AUTH_REQUIRED
      ? ({ reason: "auth", resetAt: null } as const)
      : error.code === 429
        ? ({ reason: "rate_limit", resetAt: resetTime(text, now) } as const)
        : error.code === 401
          ? ({ reason: "auth", resetAt: null } as const)
          : classifyText(text, now)
  const hint = found.reason === "auth" ? credentialHint(launch) : ""
  return new AgentError({ ...found, detail: `${launch.name} refused ${doing}: ${text}${hint}` })
}

/** A turn that "ended well" without having reached a model. */
export const fromEmptyTurn = (launch: Launch, lastMessage: string, now: number): AgentError => {
  const found = classifyText(lastMessage, now)
  const said = lastMessage.trim() === "" ? "it said nothing" : `it said: ${oneLine(lastMessage, 500)}`
  const hint = found.reason === "auth" ? credentialHint(launch) : ""
  return new AgentError({
    ...found,
    detail: `${launch.name} ended its turn without using its model; ${said}${hint}`
  })
}

const failure = (reason: AgentError["reason"], detail: string): AgentError =>
  new AgentError({ reason, detail, resetAt: null })

/** How a shell ends that finds no command of the name, or one that it may not run. */
const NOT_FOUND = new Set([126, 127])

/** The agent's process ended, or its pipes did. */
export const ended = (
  launch: Launch,
  exit: { readonly code: number | null; readonly detail: string } | null,
  stderr: ReadonlyArray<string>
): AgentError => {
  const last = stderr.length === 0 ? "" : `; its last lines: ${oneLine(stderr.join(" | "), 1000)}`
  if (exit !== null && NOT_FOUND.has(exit.code ?? 0))
    return failure(
      "not_found",
      `${launch.name} could not be started, its command \`${oneLine(launch.command, 200)}\` is not there (exit code ${exit.code}) - ` +
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
  return failure("exit", `${launch.name} ${how}${last}`)
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
      stall_timeout: `${adapter.name} was stopped: silent for ${milliseconds} ms`
    }[reason]
  )

export const agentFailure = failure
