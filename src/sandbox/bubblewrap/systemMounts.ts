import { Effect, type FileSystem, Path, Result } from "effect"
import { isWithin, type Mount } from "./mounts.ts"

/** Where programs and libraries of the system lie. */
export const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

/** What programs need to find libraries, hosts, certificates and the time; nothing about the operator. */
const CONFIGURATION = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/host.conf",
  "/etc/hosts",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/nsswitch.conf",
  "/etc/pki",
  "/etc/protocols",
  "/etc/resolv.conf",
  "/etc/services",
  "/etc/ssl",
  "/etc/timezone"
]

/** The read-only system as this machine has it. */
export const systemMounts = Effect.fnUntraced(function* (fs: FileSystem.FileSystem) {
  const found = yield* Effect.forEach(SYSTEM, (path) => systemMount(fs, path))
  const configuration = yield* Effect.forEach(CONFIGURATION, (path) => readOnlyMount(fs, path))
  return [...found, ...configuration].filter((mount) => mount !== null)
})

/** `/bin` and the like are links into `/usr` on merged systems, and stay links. */
const systemMount = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  const link = yield* Effect.result(fs.readLink(path))
  if (Result.isSuccess(link)) return { _tag: "Link", target: link.success, at: path } satisfies Mount
  return yield* readOnlyMount(fs, path)
})

/** Null when nothing is there. */
export const readOnlyMount = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, path: string) {
  const real = yield* Effect.result(fs.realPath(path))
  if (Result.isFailure(real)) return null
  return { _tag: "ReadOnly", source: real.success, at: path } satisfies Mount
})

/**
 * The installation that `node` belongs to, so that the guest runs the same one: the program, the packages of its
 * prefix and the commands that lead into them. Never the prefix itself: `~/.local` may be one.
 */
export const nodeMounts = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, node: string) {
  const path = yield* Path.Path
  const real = yield* Effect.orDie(fs.realPath(node))
  if (isWithin(real, "/usr")) return []
  const program: Mount = { _tag: "ReadOnly", source: real, at: real }
  const folder = path.dirname(real)
  const packages = yield* readOnlyMount(fs, path.join(path.dirname(folder), "lib/node_modules"))
  if (path.basename(folder) !== "bin" || packages === null) return [program]
  const names = yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
  const commands = yield* Effect.forEach(names, (name) =>
    linkInto(fs, path.join(folder, name), packages.source)
  )
  return [program, packages, ...commands.filter((link) => link !== null)]
})

/** Null when what is there is no link, or leads elsewhere. */
const linkInto = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, at: string, folder: string) {
  const target = yield* Effect.result(fs.realPath(at))
  if (Result.isFailure(target) || target.success === at || !isWithin(target.success, folder)) return null
  return { _tag: "Link", target: target.success, at } satisfies Mount
})
