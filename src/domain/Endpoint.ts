/** Where a server listens: at a unix socket or at an address. `text` is how it was written. */
export type Endpoint =
  | { readonly _tag: "Socket"; readonly text: string; readonly path: string }
  | { readonly _tag: "Tcp"; readonly text: string; readonly host: string; readonly port: number }

/** `unix:///run/smolvm.sock`, `/run/smolvm.sock`, `http://[::1]:8080` or `127.0.0.1:8080`; null for others. */
export const endpointIn = (text: string): Endpoint | null => {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(text)?.[1]
  if (path !== undefined) return { _tag: "Socket", text, path }
  const url = /^(https?|tcp):\/\//.test(text) ? text.replace(/^tcp:/, "http:") : `http://${text}`
  if (!URL.canParse(url)) return null
  const { hostname, port, protocol } = new URL(url)
  // An IPv6 address stands in brackets in a URL, and nowhere else.
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return protocol === "http:" && port !== "" ? { _tag: "Tcp", text, host, port: Number(port) } : null
}
