export const GUEST_SOCKET = "/run/symphony/listener"

/**
 * What a guest without network runs first, given to `node -e` as text so that it needs no file in the guest:
 * listens on the loopback of its own network namespace, passes every connection on to the unix socket that
 * leads to symphony's listener, then runs the command with our stdin and stdout and ends as it ends.
 * Arguments: port, socket, shell, line.
 */
const PROGRAM = `
const net = require("node:net")
const { spawn } = require("node:child_process")
const [port, socket, shell, line] = process.argv.slice(1)
const server = net.createServer((local) => {
  const host = net.connect(socket)
  local.pipe(host)
  host.pipe(local)
  local.on("error", () => host.destroy())
  host.on("error", () => local.destroy())
})
const stop = (problem) => {
  process.stderr.write("symphony: " + problem.message + "\\n")
  process.exit(126)
}
server.on("error", stop)
server.listen(Number(port), "127.0.0.1", () => {
  const child = spawn(shell, ["-lc", line], { stdio: "inherit" })
  child.on("error", stop)
  child.on("exit", (code, signal) => process.exit(signal === null ? code : 128 + require("node:os").constants.signals[signal]))
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal))
})
`

export const entryArguments = (options: {
  readonly node: string
  readonly port: number
  readonly shell: string
  readonly line: string
}): ReadonlyArray<string> => [
  options.node,
  "-e",
  PROGRAM,
  "--",
  String(options.port),
  GUEST_SOCKET,
  options.shell,
  options.line
]
