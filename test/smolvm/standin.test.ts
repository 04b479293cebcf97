import { type ChildProcess } from "node:child_process"
import * as fs from "node:fs"
import * as net from "node:net"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { hasProcessTable } from "../support/capabilities.ts"
import { makeClient, openWebSocket, readEvents } from "./http.ts"
import { openStandIn, type Profile, type StandIn } from "./standIn.ts"

/** A value that turns up; polls, because files and processes of others do not tell. */
const until = async <A>(look: () => A | undefined | false, limit = 15_000): Promise<A> => {
  for (let waited = 0; waited < limit; waited += 10) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error("it did not come to pass")
}

const finished = async (child: ChildProcess) => {
  const out = { stdout: [] as Array<Buffer>, stderr: [] as Array<Buffer> }
  child.stdout?.on("data", (chunk: Buffer) => out.stdout.push(chunk))
  child.stderr?.on("data", (chunk: Buffer) => out.stderr.push(chunk))
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on("close", (code, signal) => resolve([code, signal]))
  )
  return {
    code,
    signal,
    stdout: Buffer.concat(out.stdout),
    stderr: Buffer.concat(out.stderr).toString("utf8")
  }
}

const serve = async (standIn: StandIn, socket: string) => {
  const server = standIn.spawn(["serve", "start", "-l", socket])
  await new Promise((resolve, reject) => {
    server.stdout?.once("data", resolve)
    server.once("exit", reject)
  })
  return {
    kill: (signal: NodeJS.Signals) =>
      new Promise((resolve) => {
        server.once("exit", resolve)
        server.kill(signal)
      })
  }
}

const sh = (line: string) => ["sh", "-c", line]

const http = (profile: Profile) =>
  describe(`the API of smolvm ${profile}`, () => {
    let standIn: StandIn
    let server: Awaited<ReturnType<typeof serve>>
    let socket: string
    let api: ReturnType<typeof makeClient>
    let folder: string
    const now = profile === "now"

    beforeAll(async () => {
      standIn = openStandIn(profile, { missingImages: ["nowhere/nothing"] })
      socket = path.join(standIn.home, "api.sock")
      folder = path.join(standIn.home, "share")
      fs.mkdirSync(folder)
      server = await serve(standIn, socket)
      api = makeClient(socket)
      await api.create({ name: "guest", mounts: [{ source: folder, target: folder }] })
      assert.strictEqual((await api.post("guest", "start")).status, 200)
    })
    afterAll(async () => {
      await server.kill("SIGTERM")
      standIn.close()
    })

    it("1 nobody there: ENOENT without a socket, ECONNREFUSED at a stale one", async () => {
      const failure = async (at: string) =>
        makeClient(at)
          .call("GET", "/health")
          .catch((error: NodeJS.ErrnoException) => error.code)
      assert.strictEqual(await failure(path.join(standIn.home, "none.sock")), "ENOENT")
      const stale = path.join(standIn.home, "stale.sock")
      const other = openStandIn(profile)
      const gone = await serve(other, stale)
      await gone.kill("SIGKILL")
      other.close()
      assert.strictEqual(await failure(stale), "ECONNREFUSED")
    })

    it("2 health", async () => {
      const { json, status } = await api.call("GET", "/health")
      assert.strictEqual(status, 200)
      assert.strictEqual(json?.["status"], "ok")
      assert.strictEqual(json?.["version"], now ? "1.9.2" : "0.7.1")
      assert.strictEqual(Object.hasOwn(json ?? {}, "machines"), now)
    })

    it("3 create answers 200 and does not boot", async () => {
      const { json, status } = await api.create({ name: "three" })
      assert.strictEqual(status, 200)
      assert.deepInclude(json, { name: "three", state: "created", cpus: 4, memoryMb: 8192, network: false })
      assert.notProperty(json, "pid")
    })

    it("4 a name is given once", async () => {
      await api.create({ name: "four", memoryMb: 512 })
      const again = await api.create({ name: "four", memoryMb: 1024 })
      assert.deepStrictEqual([again.status, again.json?.["code"]], [409, "CONFLICT"])
      assert.strictEqual(again.json?.["error"], "machine 'four' already exists")
      assert.strictEqual((await api.get("four")).json?.["memoryMb"], 512)
      const both = await Promise.all([api.create({ name: "four-b" }), api.create({ name: "four-b" })])
      assert.deepStrictEqual(both.map(({ status }) => status).sort(), [200, 409])
    })

    it("5 a name is made up", async () => {
      const { json } = await api.create({})
      assert.match(String(json?.["name"]), /^[A-Za-z0-9][A-Za-z0-9_-]*$/)
    })

    it("6 bad names are refused", async () => {
      for (const name of ["", "-a", "a-", "a--b", "a.b", "a/b", "x".repeat(129)]) {
        const { json, status } = await api.create({ name })
        assert.deepStrictEqual([name, status, json?.["code"]], [name, 400, "BAD_REQUEST"])
      }
      assert.strictEqual((await api.create({ name: "x".repeat(128) })).status, 200)
    })

    it("7 what cannot be together, what is not there, what nobody knows", async () => {
      assert.strictEqual((await api.create({ name: "seven", image: "a", from: "/b" })).status, 400)
      const missing = await api.create({ name: "seven", from: "/none.smolmachine" })
      assert.strictEqual(missing.json?.["error"], "sidecar file not found: /none.smolmachine")
      const ignored = await api.create({ name: "seven", mem: 64, whatever: true })
      assert.deepStrictEqual([ignored.status, ignored.json?.["memoryMb"]], [200, 8192])
    })

    it("8 bad mounts are refused and leave the name free", async () => {
      const file = path.join(standIn.home, "file")
      fs.writeFileSync(file, "")
      const mount = (source: string, target = "/mnt") => ({ source, target })
      for (const mounts of [
        [mount("/no/such/folder")],
        [mount(file)],
        [mount("relative")],
        [mount("/etc")],
        [mount("/etc/ssl")],
        [mount(folder), mount(standIn.home)]
      ]) {
        const { json, status } = await api.create({ name: "eight", mounts })
        assert.deepStrictEqual([status, json?.["code"]], [400, "BAD_REQUEST"])
      }
      assert.strictEqual((await api.create({ name: "eight", mounts: [mount(folder)] })).status, 200)
    })

    it("9 bad ports are refused", async () => {
      const ports = (...hosts: ReadonlyArray<number>) => hosts.map((host) => ({ host, guest: 80 }))
      assert.strictEqual((await api.create({ name: "nine", ports: ports(0) })).status, 400)
      assert.strictEqual((await api.create({ name: "nine", ports: ports(8081, 8081) })).status, 400)
    })

    it.runIf(now)("10 a workload needs an image", async () => {
      assert.strictEqual((await api.create({ name: "ten", cmd: ["true"] })).status, 400)
    })

    it("11 the framework refuses in plain text", async () => {
      const at = "/api/v1/machines/guest/exec"
      const json = { "content-type": "application/json" }
      const malformed = await api.call("POST", at, { raw: "{", headers: json })
      assert.deepStrictEqual([malformed.status, malformed.json], [400, undefined])
      const missing = await api.call("POST", at, { body: {} })
      assert.deepStrictEqual([missing.status, missing.json], [422, undefined])
      assert.strictEqual((await api.exec("guest", ["true"], { timeout_secs: 1 })).status, now ? 422 : 200)
      assert.strictEqual((await api.call("POST", at, { raw: "{}" })).status, 415)
      assert.strictEqual((await api.call("GET", "/nowhere")).text, "")
    })

    it("12 start, twice, and of nobody", async () => {
      const first = await api.get("guest")
      const again = await api.post("guest", "start")
      assert.deepStrictEqual([again.status, again.json?.["state"]], [200, "running"])
      assert.strictEqual(again.json?.["pid"], first.json?.["pid"])
      assert.isNumber(again.json?.["pid"])
      const unknown = await api.post("nobody", "start")
      assert.deepStrictEqual([unknown.status, unknown.json?.["error"]], [404, "machine 'nobody' not found"])
    })

    it("13 an image that cannot be pulled fails at start", async () => {
      assert.strictEqual((await api.create({ name: "thirteen", image: "nowhere/nothing" })).status, 200)
      for (const _ of [1, 2]) {
        const { json, status } = await api.post("thirteen", "start")
        assert.deepStrictEqual([status, json?.["code"]], [500, "INTERNAL_ERROR"])
      }
      assert.notStrictEqual((await api.get("thirteen")).json?.["state"], "running")
      assert.strictEqual((await api.remove("thirteen")).status, 200)
    })

    it.runIf(now)("14 a busy port fails at start", async () => {
      const holder = net.createServer()
      const port = await new Promise<number>((resolve) =>
        holder.listen(0, "127.0.0.1", () => resolve((holder.address() as net.AddressInfo).port))
      )
      await api.create({ name: "fourteen", ports: [{ host: port, guest: 80 }] })
      const { json, status } = await api.post("fourteen", "start")
      holder.close()
      assert.deepStrictEqual([status, json?.["code"]], [409, "PORT_IN_USE"])
    })

    it("15 a fourth mount fails at start with -22", async () => {
      const mounts = ["/a", "/b", "/c", "/d"].map((target) => ({ source: folder, target }))
      assert.strictEqual((await api.create({ name: "fifteen", mounts })).status, 200)
      const { json, status } = await api.post("fifteen", "start")
      assert.strictEqual(status, 500)
      assert.include(String(json?.["error"]), "-22")
      assert.strictEqual((await api.remove("fifteen")).status, 200)
    })

    it("16 and 17 stop and delete, twice, and of nobody", async () => {
      await api.create({ name: "sixteen" })
      await api.post("sixteen", "start")
      for (const _ of [1, 2]) {
        const { json, status } = await api.post("sixteen", "stop")
        assert.deepStrictEqual([status, json?.["state"]], [200, "stopped"])
        assert.notProperty(json, "pid")
      }
      assert.strictEqual((await api.post("nobody", "stop")).status, 404)
      await api.post("sixteen", "start")
      const deleted = await api.remove("sixteen")
      assert.deepStrictEqual([deleted.status, deleted.json], [200, { deleted: "sixteen" }])
      assert.deepStrictEqual(
        [(await api.get("sixteen")).status, (await api.remove("sixteen")).status],
        [404, 404]
      )
      assert.strictEqual((await api.create({ name: "sixteen" })).status, 200)
    })

    it("18 exit codes are no errors", async () => {
      const code = async (line: string) => {
        const { json, status } = await api.exec("guest", sh(line))
        return [status, json?.["exitCode"]]
      }
      assert.deepStrictEqual(await code("true"), [200, 0])
      assert.deepStrictEqual(await code("exit 7"), [200, 7])
      assert.deepStrictEqual(await code("kill -9 $$"), [200, 137])
    })

    it("19 nothing to run, nowhere to run it, no such program", async () => {
      assert.strictEqual((await api.exec("guest", [])).status, 400)
      assert.strictEqual((await api.exec("nobody", ["true"])).status, 404)
      const missing = await api.exec("guest", ["/no/such/program"])
      assert.strictEqual(missing.status, 500)
      assert.include(String(missing.json?.["error"]), "failed to spawn command")
    })

    it("20 a command out of time ends with 124", async () => {
      const { json } = await api.exec("guest", ["sleep", "100"], { timeoutSecs: 1 })
      assert.strictEqual(json?.["exitCode"], 124)
    })

    it("21 stdin once, and none", async () => {
      if (now)
        assert.strictEqual((await api.exec("guest", ["cat"], { stdin: "hello" })).json?.["stdout"], "hello")
      assert.strictEqual((await api.exec("guest", ["cat"])).json?.["stdout"], "")
    })

    it("22 exec boots a machine that is stopped", async () => {
      await api.create({ name: "twenty-two" })
      assert.strictEqual((await api.exec("twenty-two", ["true"])).json?.["exitCode"], 0)
      assert.strictEqual((await api.get("twenty-two")).json?.["state"], "running")
      await api.remove("twenty-two")
    })

    it("23 output that is too long, or no text", async () => {
      assert.strictEqual((await api.exec("guest", sh("head -c 12000000 /dev/zero"))).status, 500)
      const { json } = await api.exec("guest", sh("printf 'a\\377b'"))
      assert.strictEqual(json?.["stdout"], "a\uFFFDb")
      assert.strictEqual(json?.["stdoutB64"], now ? Buffer.from([97, 255, 98]).toString("base64") : undefined)
    })

    it("24 a request out of time is answered 408, and its command lives on", async () => {
      standIn.behave({ requestMs: 300 })
      const { status, text } = await api.exec("guest", sh(`sleep 0.6; touch ${folder}/lived`))
      standIn.behave({ requestMs: 300_000 })
      assert.deepStrictEqual([status, text], [408, ""])
      await until(() => fs.existsSync(`${folder}/lived`))
    })

    it("25 a stream tells every byte, and the exit last", async () => {
      standIn.behave({ keepAliveMs: 20 })
      const line =
        "printf 'one\\n\\ntwo'; sleep 0.2; printf 'err\\n' >&2; sleep 0.1; printf ' three\\n'; exit 5"
      const { comments, events } = await readEvents(await api.stream("guest", sh(line)))
      standIn.behave({ keepAliveMs: 15_000 })
      const told = (name: string) => events.filter(({ event }) => event === name).map(({ data }) => data)
      assert.strictEqual(told("stdout").join(""), "one\n\ntwo three\n")
      assert.strictEqual(told("stderr").join(""), "err\n")
      assert.deepStrictEqual(events.at(-1), { event: "exit", data: '{"exitCode":5}' })
      if (now) assert.isAtLeast(comments, 1)
    })

    it("26 a character cut in two is lost, and errors are not escaped", async () => {
      const cut = await readEvents(await api.stream("guest", sh("printf '\\303'; sleep 0.2; printf '\\251'")))
      const text = cut.events.filter(({ event }) => event === "stdout").map(({ data }) => data)
      assert.strictEqual(text.join(""), "\uFFFD\uFFFD")
      const { events } = await readEvents(await api.stream("guest", ['/no/"such"']))
      const [error] = events
      assert.strictEqual(error?.event, "error")
      assert.throws(() => JSON.parse(error?.data ?? ""))
      assert.include(error?.data, '/no/"such"')
    })

    it("27 a server that dies cuts the stream, and its machines live on", async () => {
      const other = openStandIn(profile)
      const at = path.join(other.home, "api.sock")
      const first = await serve(other, at)
      const client = makeClient(at)
      await client.create({ name: "survivor" })
      await client.post("survivor", "start")
      const streaming = client
        .stream("survivor", sh("echo started; sleep 100"))
        .then((it) => readEvents(it, () => void first.kill("SIGKILL")))
        .catch(() => ({ broken: true, events: [] }))
      // Until v1.7.0 nothing came before the end.
      if (!now) await first.kill("SIGKILL")
      const end = await streaming
      assert.isTrue(end.broken)
      assert.isUndefined(end.events.find(({ event }) => event === "exit"))
      const second = await serve(other, at)
      assert.strictEqual((await client.get("survivor")).json?.["state"], "running")
      assert.strictEqual((await client.exec("survivor", ["true"])).json?.["exitCode"], 0)
      await second.kill("SIGTERM")
      other.close()
    })

    it.runIf(now)("28 a client that goes does not end its command; a second one can", async () => {
      const left = await api.stream("guest", sh(`echo on; sleep 0.3; touch ${folder}/went-on`))
      left.destroy()
      await until(() => fs.existsSync(`${folder}/went-on`))
      const stream = await api.stream("guest", sh("echo $$; exec sleep 100"))
      const { events } = await readEvents(stream, ({ data, event }) => {
        if (event === "stdout") void api.exec("guest", ["kill", "-9", data.trim()])
      })
      assert.deepStrictEqual(events.at(-1), { event: "exit", data: '{"exitCode":137}' })
    })

    it("29 a machine that goes takes its commands along", async () => {
      await api.create({ name: "going" })
      await api.post("going", "start")
      const running = api.exec("going", ["sleep", "100"])
      await until(() => standIn.processes().length >= 2)
      await api.remove("going")
      assert.strictEqual((await running).status, 500)
    })

    it("30 the stdin of a stream is open, and nobody writes to it", async () => {
      const { events } = await readEvents(await api.stream("guest", ["cat"], { stdin: "x", timeoutSecs: 1 }))
      assert.deepStrictEqual(events, [{ event: "exit", data: '{"exitCode":124}' }])
    })

    it.runIf(now)("31 the interactive one is a terminal", async () => {
      const at = "/api/v1/machines/guest/exec/interactive?cmd=/bin/sh"
      const ws = await openWebSocket(socket, at)
      ws.send(2, "echo hi\n")
      ws.send(1, JSON.stringify({ type: "stdin", data: "echo there\n" }))
      ws.send(1, "exit 4\n")
      const frames = await ws.frames
      const screen = frames.filter(({ opcode }) => opcode === 2).map(({ text }) => text)
      assert.include(screen.join(""), "echo hi\r\n")
      assert.include(screen.join(""), "there\r\n")
      assert.deepStrictEqual(frames.at(-2), { opcode: 1, text: '{"type":"exit","code":4}' })
      assert.strictEqual(frames.at(-1)?.opcode, 8)
      const left = await openWebSocket(socket, at)
      left.send(2, `echo $$ > ${folder}/shell; while :; do sleep 1; done\n`)
      const pid = (
        await until(() => fs.existsSync(`${folder}/shell`) && fs.readFileSync(`${folder}/shell`, "utf8"))
      ).trim()
      left.close()
      await left.frames
      const lives = () => api.exec("guest", ["kill", "-0", pid])
      for (let answer = await lives(); answer.json?.["exitCode"] === 0; answer = await lives());
    })

    it("32 files go in and out byte for byte", async () => {
      const bytes = Buffer.from([0, 255, 10, 13, 200])
      const at = "/api/v1/machines/guest/files/tmp/deep/file"
      const put = await api.call("PUT", at, { raw: bytes })
      assert.deepStrictEqual([put.status, put.json], [200, { path: "/tmp/deep/file", size: 5 }])
      assert.isTrue((await api.call("GET", at)).bytes.equals(bytes))
      assert.strictEqual((await api.call("GET", `${at}-none`)).status, 500)
      assert.strictEqual((await api.call("GET", "/api/v1/machines/nobody/files/tmp/x")).status, 404)
      const size = now ? 100 * 1024 * 1024 + 1 : 2 * 1024 * 1024 + 1
      const large = await api.call("PUT", at, { raw: Buffer.alloc(size) })
      assert.deepStrictEqual([large.status, large.json], [413, undefined])
    })

    it("33 logs", async () => {
      await api.create({ name: "silent" })
      assert.strictEqual((await api.get("silent", "/logs")).status, 404)
      assert.strictEqual((await api.get("guest", "/logs?tail=10001")).status, 400)
      assert.include((await api.get("guest", "/logs")).text, "data: booting guest")
      const follow = () => api.open("GET", "/api/v1/machines/guest/logs?follow=true")
      const followers = await Promise.all(Array.from({ length: 16 }, follow))
      assert.deepStrictEqual([...new Set(followers.map(({ statusCode }) => statusCode))], [200])
      assert.strictEqual((await follow()).statusCode, 409)
      for (const follower of followers) follower.destroy()
    })

    it("34 a machine of the command line is listed, and not known to exec before its start", async () => {
      standIn.run(["machine", "create", ...(now ? ["--name"] : []), "outside"])
      assert.isTrue((await api.listed()).some(({ name }) => name === "outside"))
      assert.strictEqual((await api.get("outside")).status, 200)
      assert.strictEqual((await api.exec("outside", ["true"])).status, 404)
      await api.post("outside", "start")
      assert.strictEqual((await api.exec("outside", ["true"])).status, 200)
      await api.remove("outside")
    })

    it("35 a server that starts forgets machines whose process is dead", async () => {
      const other = openStandIn(profile)
      const at = path.join(other.home, "api.sock")
      const first = await serve(other, at)
      const client = makeClient(at)
      for (const name of ["crashed", "rested", "new"]) await client.create({ name })
      await client.post("crashed", "start")
      await client.post("rested", "start")
      await client.post("rested", "stop")
      await first.kill("SIGTERM")
      for (const pid of other.processes()) process.kill(pid, "SIGKILL")
      await until(() => other.processes().length === 0)
      const second = await serve(other, at)
      assert.deepStrictEqual((await client.listed()).map(({ name, state }) => `${name} ${state}`).sort(), [
        "new created",
        "rested stopped"
      ])
      await second.kill("SIGTERM")
      other.close()
    })

    it.runIf(now)("36 forks and pools", async () => {
      await api.create({ name: "plain" })
      await api.post("plain", "start")
      assert.strictEqual((await api.post("plain", "fork", { name: "clone-x" })).status, 409)
      await api.remove("plain")
      await api.create({ name: "golden" })
      await api.post("golden", "start?forkable=true")
      const clone = await api.post("golden", "fork", { name: "clone" })
      assert.deepStrictEqual([clone.status, clone.json?.["state"]], [200, "running"])
      assert.strictEqual((await api.get("golden")).json?.["state"], "frozen")
      assert.strictEqual((await api.post("golden", "stop")).status, 409)
      assert.strictEqual((await api.remove("golden")).status, 409)
      assert.strictEqual((await api.remove("golden", "?cascade=true")).status, 200)
      const pools = "/api/v1/pools"
      await api.call("POST", pools, { body: { name: "empty", golden: "g", desiredReady: 1 } })
      const key = { idempotencyKey: "k" }
      assert.strictEqual((await api.call("POST", `${pools}/empty/leases`, { body: key })).status, 503)
      await api.call("POST", pools, { body: { name: "full", golden: "g", desiredReady: 1, workers: ["w"] } })
      const lease = () => api.call("POST", `${pools}/full/leases`, { body: key })
      assert.strictEqual((await lease()).json?.["id"], (await lease()).json?.["id"])
    })

    it("37 times are text until 0.7, numbers since", async () => {
      const { json } = await api.get("guest")
      assert.strictEqual(typeof json?.["createdAt"], now ? "number" : "string")
    })
  })

const commandLine = (profile: Profile) =>
  describe(`the command line of smolvm ${profile}`, () => {
    let standIn: StandIn
    const named = (name: string) => (profile === "now" ? ["--name", name] : [name])
    const create = (name: string, ...rest: ReadonlyArray<string>) =>
      standIn.run(["machine", "create", ...named(name), ...rest])
    const start = (name: string) => standIn.run(["machine", "start", "--name", name])
    const exec = (...args: ReadonlyArray<string>) => {
      const child = standIn.spawn(["machine", "exec", "--name", "guest", ...args])
      // One that has died tells so by its code; what was still to be written to it is no failure of its own.
      child.stdin?.on("error", () => {})
      return child
    }

    beforeAll(() => {
      standIn = openStandIn(profile)
      create("guest")
      start("guest")
    })
    afterAll(() => standIn.close())

    it("38 ls", () => {
      const other = openStandIn(profile)
      assert.deepStrictEqual(JSON.parse(other.run(["machine", "ls", "--json"]).stdout), [])
      other.close()
      const [guest] = JSON.parse(standIn.run(["machine", "ls", "--json"]).stdout)
      assert.deepInclude(guest, {
        name: "guest",
        state: "running",
        memory_mib: 8192,
        mounts: 0,
        ephemeral: false
      })
      assert.isNumber(guest.pid)
      standIn.behave({ ls: "garbage" })
      assert.throws(() => JSON.parse(standIn.run(["machine", "ls", "--json"]).stdout))
      standIn.behave({ ls: "fail" })
      assert.strictEqual(standIn.run(["machine", "ls", "--json"]).code, 1)
      standIn.behave({ ls: "ok" })
    })

    it("39 failures say so and exit with 1; what it cannot read, with 2", () => {
      const again = create("guest")
      assert.deepStrictEqual([again.code, again.stderr], [1, "Error: machine 'guest' already exists\n"])
      assert.strictEqual(start("nobody").code, 1)
      create("resting")
      const stopped = standIn.run(["machine", "exec", "--name", "resting", "--", "true"])
      assert.deepStrictEqual(
        [stopped.code, stopped.stderr],
        [1, "Error: machine 'resting' is not running. Use 'smolvm machine start --name resting' first.\n"]
      )
      const other = profile === "now" ? ["positional"] : ["--name", "flag"]
      assert.strictEqual(standIn.run(["machine", "create", ...other]).code, 2)
    })

    it("40 delete asks, and takes silence for no", () => {
      create("asked")
      const { code, stdout } = standIn.run(["machine", "delete", ...named("asked")])
      assert.strictEqual(code, 0)
      assert.include(stdout, "Cancelled")
      assert.isTrue(standIn.list().some(({ name }) => name === "asked"))
      assert.strictEqual(standIn.run(["machine", "delete", ...named("asked"), "-f"]).code, 0)
      assert.isFalse(standIn.list().some(({ name }) => name === "asked"))
    })

    it("41 delete alone leaves the process in May", () => {
      create("leaked")
      start("leaked")
      const { pid } = standIn.list().find(({ name }) => name === "leaked") ?? {}
      standIn.run(["machine", "delete", ...named("leaked"), "-f"])
      const left = standIn.processes().includes(Number(pid))
      assert.strictEqual(left, profile === "may")
      if (left) process.kill(Number(pid), "SIGKILL")
      create("stopped-first")
      start("stopped-first")
      const before = standIn.list().find(({ name }) => name === "stopped-first")?.pid
      standIn.run(["machine", "stop", "--name", "stopped-first"])
      standIn.run(["machine", "delete", ...named("stopped-first"), "-f"])
      assert.isFalse(standIn.processes().includes(Number(before)))
    })

    it("42 exec -i carries bytes, exit codes and its time", async () => {
      standIn.behave({ missEof: false })
      const bytes = Buffer.alloc(1024 * 1024, "0123456789abcdef\n")
      const echo = exec("-i", "--", "cat")
      const echoed = finished(echo)
      echo.stdin?.end(bytes)
      const { code, stdout } = await echoed
      assert.strictEqual(code, 0)
      assert.isTrue(stdout.equals(bytes))
      const apart = exec("-i", "--", ...sh("echo out; echo err >&2; exit 3"))
      apart.stdin?.end()
      const both = await finished(apart)
      assert.deepStrictEqual([both.code, both.stdout.toString(), both.stderr], [3, "out\n", "err\n"])
      assert.strictEqual((await finished(exec("--timeout", "300ms", "--", "sleep", "100"))).code, 124)
      standIn.behave({ missEof: profile === "may" })
    })

    it("43 exec -i holds back what exceeds 4096 bytes of a burst", async () => {
      const child = exec("-i", "--", "node", "-e", "process.stdin.on('data', (it) => console.log(it.length))")
      let said = ""
      child.stdout?.on("data", (chunk: Buffer) => {
        said += chunk.toString("utf8")
      })
      child.stdin?.write(Buffer.alloc(6000))
      await until(() => said.includes("4096"))
      // Nothing else can tell that nothing comes.
      await new Promise((resolve) => setTimeout(resolve, 150))
      assert.strictEqual(said, "4096\n")
      child.stdin?.write("\n")
      const total = () =>
        said
          .trim()
          .split("\n")
          .map(Number)
          .reduce((sum, size) => sum + size, 0)
      await until(() => total() === 6001)
      child.kill("SIGKILL")
    })

    it("44 a command line that is killed takes its process along, or leaves it", async () => {
      for (const orphan of [false, true]) {
        standIn.behave({ orphan })
        const child = exec("-i", "--", ...sh("echo $$; exec sleep 100"))
        const pid = await new Promise<string>((resolve) =>
          child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString("utf8").trim()))
        )
        const end = finished(child)
        child.kill("SIGTERM")
        assert.strictEqual((await end).signal, "SIGTERM")
        const lives = () =>
          standIn.run(["machine", "exec", "--name", "guest", "--", "kill", "-0", pid]).code === 0
        if (orphan) assert.isTrue(lives())
        else await until(() => !lives())
      }
      standIn.behave({ orphan: false })
    })

    it("45 a machine that dies is told apart from its command's end; the ninth command waits", async () => {
      create("mortal")
      start("mortal")
      const at = (...command: ReadonlyArray<string>) =>
        standIn.spawn(["machine", "exec", "--name", "mortal", "--", ...command])
      const eight = Array.from({ length: 8 }, () => at(...sh("echo up; exec sleep 100")))
      const ends = eight.map(finished)
      await Promise.all(eight.map((child) => new Promise((resolve) => child.stdout?.once("data", resolve))))
      const ninth = at("echo", "late")
      const late = finished(ninth)
      // Nothing else can tell that nothing comes.
      assert.isUndefined(await Promise.race([late, new Promise((resolve) => setTimeout(resolve, 300))]))
      eight[0]?.kill("SIGKILL")
      assert.strictEqual((await late).stdout.toString("utf8"), "late\n")
      const { pid } = standIn.list().find(({ name }) => name === "mortal") ?? {}
      process.kill(Number(pid), "SIGKILL")
      const lost = await Promise.all(ends.slice(1))
      for (const { code, stderr } of lost)
        assert.deepStrictEqual([code, stderr], [1, "Error: connection to VM lost\n"])
    })

    it("46 a start that is given up can be tried again", async () => {
      create("slow")
      standIn.behave({ hang: ["^slow$"] })
      const child = standIn.spawn(["machine", "start", "--name", "slow"])
      await until(() => standIn.processes().length >= 2)
      const end = finished(child)
      child.kill("SIGKILL")
      await end
      standIn.behave({ hang: [] })
      standIn.run(["machine", "stop", "--name", "slow"])
      assert.strictEqual(start("slow").code, 0)
      assert.strictEqual(standIn.list().find(({ name }) => name === "slow")?.state, "running")
    })
  })

describe.skipIf(!hasProcessTable("the stand-in for smolvm"))("the stand-in for smolvm", () => {
  for (const profile of ["may", "now"] satisfies ReadonlyArray<Profile>) {
    http(profile)
    commandLine(profile)
  }
})
