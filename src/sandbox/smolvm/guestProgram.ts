/**
 * What runs in the guest between the host and an agent, given to `node -e` as text so that nothing has to be
 * baked into an image. Needs Node 18. The first line of its stdin is a one-time token.
 *
 * `probe <port> <host>…`: dials the hosts in turn and says, as JSON, which one is symphony.
 * `bridge <port> <host>`: dials back, proves the token, and runs what it is told over that connection.
 * `stdio`: the same over its own stdin and stdout.
 *
 * Every frame that it has taken is credited, so that the host never has more under way than the stream in
 * between can carry.
 */
export const GUEST_PROGRAM = `
const fs = require("node:fs"), net = require("node:net"), os = require("node:os"), path = require("node:path")
const { spawn } = require("node:child_process")
const [mode, port, ...hosts] = process.argv.slice(1)
const die = (text, code) => { process.stderr.write("symphony: " + text + "\\n"); process.exit(code) }

const dial = (host, token, limit) => new Promise((resolve) => {
  const socket = net.connect({ host, port: Number(port), family: 4 })
  const give = (answer) => { clearTimeout(timer); socket.removeAllListeners("error"); socket.on("error", () => {}); resolve(answer) }
  const timer = setTimeout(() => { socket.destroy(); give(null) }, limit)
  socket.on("error", () => give(null))
  socket.on("connect", () => { socket.setNoDelay(true); socket.write("symphony " + token + "\\n"); give(socket) })
})
const greeted = (socket, limit) => new Promise((resolve) => {
  let said = ""
  const timer = setTimeout(() => { socket.destroy(); resolve(false) }, limit)
  socket.on("data", (chunk) => { said += chunk })
  socket.on("close", () => { clearTimeout(timer); resolve(said === "symphony\\n") })
})

const probe = async (token) => {
  let reached = null
  for (const host of hosts) {
    const socket = await dial(host, token, 3000)
    if (socket !== null && await greeted(socket, 3000)) { reached = host; break }
  }
  process.stdout.write(JSON.stringify({ host: reached, home: os.homedir(), node: process.version }), () => process.exit(0))
}

// HOME may be as an earlier run of the issue has left it: what leads to a credential's place is made a folder, so
// that no link takes it elsewhere, and what lies behind a link is not ours to remove.
const wayTo = (below) => {
  const home = os.homedir(), at = path.join(home, below)
  if (!at.startsWith(home + path.sep)) throw new Error("a file outside of HOME")
  const names = path.relative(home, at).split(path.sep)
  const way = names.map((_, index) => path.join(home, ...names.slice(0, index + 1)))
  return { folders: way.slice(0, -1), at }
}
const isFolder = (at) => fs.lstatSync(at, { throwIfNoEntry: false })?.isDirectory() === true
const forget = (below) => {
  const { folders, at } = wayTo(below)
  if (folders.every(isFolder)) fs.rmSync(at, { force: true, recursive: true })
}
const place = (file) => {
  const { folders, at } = wayTo(file.path)
  for (const folder of folders) {
    if (isFolder(folder)) continue
    fs.rmSync(folder, { force: true })
    fs.mkdirSync(folder, { mode: 0o700 })
  }
  fs.rmSync(at, { force: true, recursive: true })
  fs.writeFileSync(at, file.content, { mode: 0o600, flag: "wx" })
}

const serve = (input, output) => {
  let order = "", child = null, over = false, held = Buffer.alloc(0)
  // The machine may be kept for the issue's next run, and a credential may not. Gone before the host is told of an end:
  // it may stop the machine at once.
  const secrets = []
  const forgetAll = () => { for (const below of secrets) try { forget(below) } catch {} }
  process.on("exit", forgetAll)
  const send = (type, payload) => {
    const head = Buffer.alloc(5)
    head.writeUInt8(type, 0)
    head.writeUInt32BE(payload.length, 1)
    return output.write(Buffer.concat([head, payload]))
  }
  const credit = (size) => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(size, 0); send(6, bytes) }
  const kill = (signal) => { try { process.kill(-child.pid, signal) } catch {} }
  const end = () => {
    if (child === null) process.exit(0)
    child.stdin.destroy()
    kill("SIGTERM")
    forgetAll()
    setTimeout(() => { kill("SIGKILL"); process.exit(0) }, 1000)
  }
  const pour = (stream, type) => stream.on("data", (bytes) => {
    if (!send(type, bytes)) { stream.pause(); output.once("drain", () => stream.resume()) }
  })
  const start = () => {
    const asked = JSON.parse(order)
    try { prepare(asked) } catch (error) { return refuse("EIO", error.message) }
    child = spawn(asked.shell, ["-lc", "PATH=$SYMPHONY_PATH; unset SYMPHONY_PATH; " + asked.line], {
      cwd: asked.cwd, detached: true, stdio: ["pipe", "pipe", "pipe"],
      env: { TERM: "dumb", LANG: "C.UTF-8", PATH: process.env.PATH, ...asked.env, HOME: os.homedir(), SYMPHONY_PATH: asked.path.concat(process.env.PATH).join(":") }
    })
    child.on("error", (error) => { child = null; refuse(error.code || "EIO", error.message) })
    child.stdin.on("error", () => {})
    child.on("spawn", () => { send(1, Buffer.alloc(0)); pour(child.stdout, 3); pour(child.stderr, 4) })
    const leave = (code, signal) => {
      if (over) return
      over = true
      kill("SIGKILL")
      forgetAll()
      send(5, Buffer.from(JSON.stringify({ code, signal })))
      output.end(() => process.exit(0))
    }
    child.on("close", leave)
    child.on("exit", (code, signal) => { kill("SIGKILL"); setTimeout(leave, 500, code, signal) })
  }
  const refuse = (code, message) => { over = true; forgetAll(); send(2, Buffer.from(JSON.stringify({ code, message }))); output.end(() => process.exit(1)) }
  const prepare = (asked) => {
    for (const { at, to } of asked.links) {
      if (fs.existsSync(at)) continue
      fs.rmSync(at, { force: true })
      fs.mkdirSync(path.dirname(at), { recursive: true })
      fs.symlinkSync(to === null ? process.execPath : to, at)
    }
    secrets.push(...asked.secretPaths, ...asked.homeFiles.map((file) => file.path))
    secrets.forEach(forget)
    asked.homeFiles.forEach(place)
    fs.accessSync(asked.cwd)
  }
  const take = (type, payload) => {
    if (type === 12 && child !== null && !child.stdin.destroyed) return child.stdin.write(payload, () => credit(5 + payload.length))
    credit(5 + payload.length)
    if (type === 10) order += payload.toString("latin1")
    if (type === 11) { order = Buffer.from(order, "latin1").toString("utf8"); start() }
    if (type === 13 && child !== null) child.stdin.end()
    if (type === 14 && child !== null) kill(payload.toString())
  }
  input.on("data", (chunk) => {
    held = Buffer.concat([held, chunk])
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const size = held.readUInt32BE(1), type = held.readUInt8(0), payload = held.subarray(5, 5 + size)
      held = held.subarray(5 + size)
      take(type, payload)
    }
  })
  input.resume()
  input.on("end", () => { if (!over) end() })
  input.on("close", () => { if (!over) end() })
  output.on("error", () => { if (!over) end() })
}

// Exactly one line: what follows it belongs to somebody else.
const firstLine = () => new Promise((resolve) => {
  let seen = Buffer.alloc(0)
  const onData = (chunk) => {
    seen = Buffer.concat([seen, chunk])
    const at = seen.indexOf(10)
    if (at < 0) return
    process.stdin.off("data", onData)
    process.stdin.pause()
    if (seen.length > at + 1) process.stdin.unshift(seen.subarray(at + 1))
    resolve(seen.subarray(0, at).toString())
  }
  process.stdin.on("data", onData)
  process.stdin.on("end", () => resolve(""))
})

firstLine().then(async (token) => {
  if (mode === "probe") return probe(token)
  if (mode === "stdio") return serve(process.stdin, process.stdout)
  const socket = await dial(hosts[0], token, 10000)
  if (socket === null) die("cannot reach symphony at " + hosts[0] + ":" + port, 1)
  serve(socket, socket)
})
`

/** The login shell finds `node` where the image's profile says. */
export const guestCommand = (args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "sh",
  "-lc",
  'exec node -e "$0" -- "$@"',
  GUEST_PROGRAM,
  ...args
]
