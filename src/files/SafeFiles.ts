import { Context, type Effect, Schema, type Scope, type Stream } from "effect"

export const FileKind = Schema.Literals(["file", "directory", "symlink", "fifo", "socket", "device"])
export type FileKind = typeof FileKind.Type

/** What `lstat` says; links are never followed. */
export interface FileStat {
  readonly kind: FileKind
  /** Bytes. */
  readonly size: number
  /** Whether its owner may run it. */
  readonly executable: boolean
  /** Decimal. */
  readonly inode: string
  /** Epoch milliseconds. */
  readonly modifiedAt: number
}

export class FileError extends Schema.TaggedError<FileError>()("FileError", {
  operation: Schema.Literals([
    "stat",
    "list",
    "read",
    "write",
    "append",
    "link",
    "unlink",
    "remove",
    "mkdir",
    "watch",
    "sync"
  ]),
  path: Schema.String,
  /**
   * `missing`: nothing there; `exists`: the name is taken; `link`: a component is a symbolic link; `kind`: not a regular file (or folder) where one is needed;
   * `changed`: not the file that was to be replaced; `too_large`: over the cap; `outside`: the path leaves its root; `full`: no space left; `descriptors`: too many files are open.
   */
  reason: Schema.Literals([
    "missing",
    "exists",
    "link",
    "kind",
    "changed",
    "too_large",
    "outside",
    "denied",
    "full",
    "descriptors",
    "io"
  ]),
  detail: Schema.String
}) {
  override get message(): string {
    return `cannot ${this.operation} ${this.path}: ${this.detail}`
  }
}

export interface FileEntry extends FileStat {
  readonly name: string
}

/** A place that paths are relative to. Nothing outside of `root` is reached through it. */
export interface Place {
  /** Absolute; may itself be reached through links, which belong to the operator. */
  readonly root: string
}

/**
 * The only way to files that others can write: every operation names a root and a relative path, follows no
 * link at any component below the root, is capped, and refuses fifos and devices without blocking. What is
 * written is durable when the effect returns, but for `openAppend`: temporary file, fsync, rename, fsync of the
 * folder.
 */
export class SafeFiles extends Context.Service<
  SafeFiles,
  {
    /** `null` when nothing is there. */
    readonly stat: (place: Place, path: string) => Effect.Effect<FileStat | null, FileError>
    /** What lies in a folder, in byte order of the names. */
    readonly list: (place: Place, path: string) => Effect.Effect<ReadonlyArray<FileEntry>, FileError>
    /** The whole file, at most `maxBytes`. */
    readonly read: (place: Place, path: string, maxBytes: number) => Effect.Effect<Uint8Array, FileError>
    /**
     * As `read`, piece by piece, so that no file is too large for the memory. Others have their turn between
     * two pieces.
     */
    readonly stream: (place: Place, path: string, maxBytes: number) => Stream.Stream<Uint8Array, FileError>
    /** Where a symbolic link points, as it is written. */
    readonly readLink: (place: Place, path: string) => Effect.Effect<string, FileError>
    /** As `read`, decoded as UTF-8; also tells inode and time of exactly what was read. */
    readonly readText: (
      place: Place,
      path: string,
      maxBytes: number
    ) => Effect.Effect<{ readonly text: string; readonly stat: FileStat }, FileError>
    /**
     * Replaces the file as a whole; nothing but a regular file is replaced. `mode` defaults to that of the
     * file replaced, else 0o644. Folders on the way are made. `replaces`: only the file of that inode, time and
     * size, else it fails with `changed`; an editor's save in between is not lost.
     */
    readonly writeAtomic: (
      place: Place,
      path: string,
      content: string | Uint8Array,
      options?: { readonly mode?: number; readonly replaces?: FileStat }
    ) => Effect.Effect<void, FileError>
    /** As `writeAtomic`, but fails with `exists` when the name is taken. */
    readonly createExclusive: (
      place: Place,
      path: string,
      content: string | Uint8Array,
      options?: { readonly mode?: number }
    ) => Effect.Effect<void, FileError>
    /** Gives the file a second name, fails with `exists` when it is taken, syncs the target's folder. */
    readonly link: (place: Place, from: string, to: string) => Effect.Effect<void, FileError>
    /** Removes one name of a file and syncs its folder; nothing there is a success. */
    readonly unlink: (place: Place, path: string) => Effect.Effect<void, FileError>
    /** Removes a tree without following links; nothing there is a success. */
    readonly removeTree: (place: Place, path: string) => Effect.Effect<void, FileError>
    /** Makes a folder and those above it below the root; syncs them. */
    readonly makeDirectory: (
      place: Place,
      path: string,
      options?: { readonly mode?: number }
    ) => Effect.Effect<void, FileError>
    /**
     * Makes durable which names a folder has: also those that somebody who died gave or took. Nothing there is
     * a success.
     */
    readonly syncFolder: (place: Place, path: string) => Effect.Effect<void, FileError>
    /**
     * An append-only file, made when missing (0o600). Folders on the way are made. Its name, and what is appended,
     * is durable only once it is synced: see `syncFolder`.
     */
    readonly openAppend: (place: Place, path: string) => Effect.Effect<AppendFile, FileError, Scope.Scope>
    /**
     * Emits the name of what changed in one folder, not below it. The first element is `""` and says that the
     * watch is in place: look now. A hint, not a record: events may be merged or lost, so poll as the net.
     * Fails when the folder goes away.
     */
    readonly watch: (place: Place, path: string) => Stream.Stream<string, FileError>
  }
>()("symphony/files/SafeFiles") {}

export interface AppendFile {
  /** Bytes in the file now. */
  readonly size: Effect.Effect<number, FileError>
  /** Written, not yet durable. */
  readonly append: (bytes: Uint8Array) => Effect.Effect<void, FileError>
  /** Durable when it returns. */
  readonly sync: Effect.Effect<void, FileError>
  readonly truncate: (size: number) => Effect.Effect<void, FileError>
}
