/** Where symphony's listener is bound on this machine. */
export interface ListenerAddress {
  /** An IP address, as the system tells it. */
  readonly host: string
  readonly port: number
}

/** What `mcp.host` is when nobody names another: wherever the listener is. */
const HERE = "127.0.0.1"

/** Every address of the machine, and one of them that a program of the machine reaches. */
const WILDCARDS: Readonly<Record<string, string>> = { "0.0.0.0": HERE, "::": "::1", "[::]": "::1", "": HERE }

/** Where a program on this machine reaches what is bound there. */
export const reachable = ({ host }: ListenerAddress): string => WILDCARDS[host] ?? host

/** The base URL for a guest that shares this machine's network: at `mcp.host` where the operator names one. */
export const listenerUrl = (listener: ListenerAddress, named: string): string => {
  const host = named === HERE || Object.hasOwn(WILDCARDS, named) ? reachable(listener) : named
  return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${listener.port}`
}
