/**
 * A full disk, or nobody who reads, must not end what runs: what cannot be written is lost, and the other of stdout and
 * stderr tells so, once.
 */
export const tellLostOutput = (stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): void => {
  for (const [name, stream, other] of [
    ["stdout", stdout, stderr],
    ["stderr", stderr, stdout]
  ] as const) {
    let isTold = false
    stream.on("error", ({ message }) => {
      if (isTold) return
      isTold = true
      other.write(`warning: ${name} cannot be written, and what is told there is lost: ${message}\n`)
    })
  }
}
