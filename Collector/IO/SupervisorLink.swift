// Tells the supervisor that the collector works: as long as the house's own thread comes round. Decides nothing.

internal import ServiceLifecycle
internal import Supervision

/// Runs until graceful shutdown. Stopped first of all services, so that the supervisor knows before anything ends.
struct SupervisorLink: Service {
    private let house: House
    private let supervisor: Supervisor

    init(house: House, supervisor: Supervisor) {
        self.house = house
        self.supervisor = supervisor
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // A house that computes comes late; one that hangs never comes, and no sign is given.
                await house.comeRound()
                supervisor.alive()
                let pause = Duration.milliseconds(supervisor.signEvery ?? 60_000)
                do { try await Task.sleep(for: pause) } catch { return }  // Cancelled: the end.
            }
        }
        supervisor.stopping()
    }
}

extension House {
    /// Returns once the house's thread is free.
    func comeRound() {}
}
