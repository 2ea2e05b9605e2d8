// Drives the house: asks it for long jobs, does them on threads of their own, and brings back what they gave.

internal import CollectorCore
internal import Foundation
internal import Logging
internal import Proofs
internal import Quantities
internal import ServiceLifecycle

/// Runs until graceful shutdown.
struct HouseDriver: Service {
    private let house: House
    private let worker: WindowWorker
    private static let pause: Duration = .milliseconds(100)

    /// - Parameter objects: folder of the object store, for the replaying process.
    init(house: House, objects: String) {
        self.house = house
        worker = WindowWorker(objects: objects)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if let job = await house.nextJob() {
                    await perform(job)
                } else {
                    do { try await Task.sleep(for: Self.pause) } catch { return }  // Cancelled: the end.
                }
            }
        }
    }

    private func perform(_ job: HouseJob) async {
        switch job {
        case .compute(let window, let segments):
            switch await worker.compute(segments) {
            case .success(let (outcome, transcript)):
                await house.finish(computed: outcome, transcript: transcript, of: window)
            case .failure(let error): await house.fail(window, "\(error)")
            }
        case .replay(let window, let segments):
            let (digest, text) = await worker.replay(segments)
            await house.finish(replayed: digest, text: text, of: window)
        }
    }
}

/// Computes and replays windows on its own thread.
actor WindowWorker {
    private nonisolated let executor = ThreadExecutor(name: "windows")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private let objects: String

    init(objects: String) { self.objects = objects }

    func compute(_ segments: [[UInt8]]) -> Result<(WindowOutcome, Transcript), any Error> {
        Result {
            let (outcome, transcript) = computeWindow(try WindowInputs(segments: segments))
            return (outcome, transcript)
        }
    }

    /// Runs `kilomint-collector replay` as another process that sees nothing but the segments.
    func replay(_ segments: [Digest]) -> (digest: Digest?, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = ["replay", "--objects", objects] + segments.map(\.description)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        do { try process.run() } catch { return (nil, "the replaying process could not be started: \(error)") }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0, let line = text.split(whereSeparator: \.isNewline).last,
            let bytes = [UInt8](hex: String(line)), let digest = Digest(bytes)
        else {
            return (nil, "the replaying process ended with status \(process.terminationStatus): \(text.suffix(400))")
        }
        return (digest, "replayed from \(segments.count) input segments")
    }
}
