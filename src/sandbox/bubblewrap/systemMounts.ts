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
 * The installation that `node` belongs to, so that the guest runs the same one: its prefix with the libraries,
 * or the program alone where the prefix would show too much.
 */
export const nodeMount = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, node: string) {
  const path = yield* Path.Path
  const real = yield* Effect.orDie(fs.realPath(node))
  if (isWithin(real, "/usr")) return []
  const folder = path.dirname(real)
  const prefix = path.dirname(folder)
  const isInstallation =
    path.basename(folder) === "bin" && (yield* Effect.orDie(fs.exists(path.join(prefix, "lib/node_modules"))))
  const source = isInstallation ? prefix : real
  return [{ _tag: "ReadOnly", source, at: source } satisfies Mount]
})
