// The file on another volume that holds a log's last signed checkpoint, so that an older copy of the log gives itself
// away. Verifies nothing: the tree does.

internal import Proofs

struct WitnessFile: Sendable {
    let path: String

    /// The note as written, nil when there is no file.
    func read() throws(LogError) -> [UInt8]? {
        do throws(FileError) { return try DurableFile.read(path, bytesMax: SignedNote.bytesMax) } catch {
            throw .storage("\(error): mount the witness volume")
        }
    }

    /// Replaces the note; durable on return.
    func write(_ note: [UInt8]) throws(LogError) {
        do throws(FileError) { try DurableFile.write(note, to: path) } catch {
            throw error.isFull ? .full("\(error)") : .storage("\(error): mount the witness volume")
        }
    }

    var missing: LogError {
        .unsuitable(
            "witness \(path) is missing, but this log has published checkpoints: mount the witness volume; if the file "
                + "is lost for good, start once with `kilomint-collector serve --accept-missing-witness`")
    }

    var foreign: LogError {
        .unsuitable(
            "witness \(path) holds no checkpoint of this log signed by its key: name the log's own witness file")
    }
}
