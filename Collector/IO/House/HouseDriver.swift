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
    /// The same job comes again; what stopped it seldom goes away at once.
    private static let pauseAfterFailure: Duration = .seconds(2)

    /// - Parameter objects: folder of the object store, for the replaying process.
    init(house: House, objects: String) {
        self.house = house
        worker = WindowWorker(objects: objects)
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                var pause = Duration.zero
                if let job = await house.nextJob() {
                    if await !perform(job) { pause = Self.pauseAfterFailure }
                } else {
                    pause = Self.pause
                }
                await house.keepRevocationList()
                do { try await Task.sleep(for: pause) } catch { return }  // Cancelled: the end.
            }
        }
    }

    /// - Returns: whether it could be done.
    private func perform(_ job: HouseJob) async -> Bool {
        switch job {
        case .compute(let window, let segments):
            switch await worker.compute(segments) {
            case .success(let (outcome, transcript)):
                await house.finish(computed: outcome, transcript: transcript, of: window)
            case .failure(let error):
                await house.fail(window, "\(error)")
                return false
            }
        case .replay(let window, let segments):
            switch await worker.replay(segments) {
            case .success(let (digest, text)): await house.finish(replayed: digest, text: text, of: window)
            case .failure(let error):
                await house.fail(window, "\(error)")
                return false
            }
        }
        return true
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
    ///
    /// - Returns: a failure when it could not run to its end, which says nothing about the window: it is tried again.
    func replay(_ segments: [Digest]) -> Result<(digest: Digest?, text: String), HouseFileError> {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe")
        process.arguments = ["replay", "--objects", objects] + segments.map(\.description)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        do { try process.run() } catch {
            return .failure(HouseFileError(description: "the replaying process could not be started: \(error)"))
        }
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationReason == .exit else {
            return .failure(
                HouseFileError(description: "the replaying process was ended by signal \(process.terminationStatus)"))
        }
        guard process.terminationStatus == 0, let line = text.split(whereSeparator: \.isNewline).last,
            let bytes = [UInt8](hex: String(line)), let digest = Digest(bytes)
        else {
            return .success(
                (nil, "the replaying process ended with status \(process.terminationStatus): \(text.suffix(400))"))
        }
        return .success((digest, "replayed from \(segments.count) input segments"))
    }
}
