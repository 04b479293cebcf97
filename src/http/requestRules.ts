import { Option } from "effect"
import type { WorkflowConfig } from "../workflow/WorkflowConfig.ts"

/** What the rules look at; header names are lowercase. */
export interface RequestFacts {
  readonly method: string
  /** Path and query as received. */
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
/** How a guest calls the host that its machine runs on. */
const GUEST_FACING = ["host.smolvm.internal"]
const WILDCARD = new Set(["0.0.0.0", "::", "[::]", ""])

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/

/** The name in a Host header, lowercase and without its port; undefined when it is none. */
export const hostName = (host: string | undefined): string | undefined =>
  HOST.exec((host ?? "").toLowerCase())?.[1]?.replace(/\.$/, "")

const bracketed = (host: string): string =>
  host.includes(":") && !host.startsWith("[") ? `[${host}]` : host.toLowerCase()

const hostOfUrl = (url: string | null): ReadonlyArray<string> =>
  url !== null && URL.canParse(url) ? [new URL(url).hostname.toLowerCase()] : []

/** Names under which this listener answers; under any other a page of somebody else may be asking. */
export const allowedHosts = (
  config: Pick<WorkflowConfig, "server" | "mcp">,
  bound: string
): ReadonlySet<string> =>
  new Set([
    ...LOOPBACK,
    ...GUEST_FACING,
    // Agents are given the address, where `server.host` is a name.
    ...(WILDCARD.has(bound) ? [] : [bracketed(bound)]),
    ...(WILDCARD.has(config.server.host) ? [] : [bracketed(config.server.host)]),
    ...(WILDCARD.has(config.mcp.host) ? [] : [bracketed(config.mcp.host)]),
    ...hostOfUrl(config.mcp.hostUrl),
    ...config.server.allowedHosts.map(bracketed)
  ])

const isSafe = (method: string): boolean => method === "GET" || method === "HEAD"

const originOf = (referer: string): string => (URL.canParse(referer) ? new URL(referer).origin : "null")

/**
 * Whether a browser sent this from a page that is not ours. Ports are told apart: another program on this
 * machine is another site. A top-level navigation that only reads is nobody's forgery. Programs send none of
 * these headers.
 */
export const isForeign = ({ headers, method }: RequestFacts): boolean => {
  const site = headers["sec-fetch-site"]
  const navigates = isSafe(method) && headers["sec-fetch-mode"] === "navigate"
  if (site !== undefined && site !== "same-origin" && site !== "none") return !navigates
  const ours = new Set([`http://${headers["host"] ?? ""}`, `https://${headers["host"] ?? ""}`])
  const { origin, referer } = headers
  if (origin !== undefined) return !ours.has(origin)
  return !isSafe(method) && referer !== undefined && !ours.has(originOf(referer))
}

/** `Content-Type` without its parameters. */
export const mediaType = (headers: RequestFacts["headers"]): string | undefined =>
  headers["content-type"]?.split(";")[0]?.trim().toLowerCase()

export const hasBody = (headers: RequestFacts["headers"]): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const decode = Option.liftThrowable(decodeURIComponent)

/**
 * The path alone; undefined when it is malformed: a percent-encoding that is none, an empty segment, or a `;`,
 * which the router takes for the beginning of the query. What is let in by its path is thus what is routed.
 */
export const pathOf = (url: string): string | undefined => {
  const path = url.split(/[?#]/, 1)[0] ?? ""
  return /;|\/\/|\\/.test(path) || Option.isNone(decode(path)) ? undefined : path
}
