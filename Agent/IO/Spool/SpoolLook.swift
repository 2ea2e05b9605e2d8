// Looking at what the spool holds without stopping the agent. The running agent's file is its own (locked, its log's index
// in its memory), so its keeper hands out rows, few at a time between its steps; a file that nobody has is opened to read.

internal import AgentCore
internal import Evidence
internal import Glibc
internal import Quantities

/// Rows for somebody who looks.
package struct SpoolPage: Sendable {
    package let streams: [StreamState]
    /// After the position asked for, oldest first.
    package let rows: [Row]
    package let receipt: [UInt8]?
    package let usedBytes: Int
    /// Rows cannot be read on; why.
    package let problem: String?

    package struct Row: Sendable {
        package let position: Int64
        /// Nil: the row is damaged.
        package let record: StoredRecord?

        package var ordinal: Int64 { position >> Spool.sequenceBits }
    }

    /// Rows and bytes of one page: what the keeper reads between two of its steps.
    package static let rowsMax = 64
    package static let bytesMax = 262_144
}

/// What the keeper is asked for.
package struct SpoolLook: Sendable {
    package let after: Int64
    package let reply: Mailbox<SpoolPage>
}

/// A way to a spool's pages, oldest rows first.
package struct SpoolSource {
    private let page: (Int64) throws -> SpoolPage
    package let text: String

    package func page(after position: Int64) throws -> SpoolPage { try page(position) }

    /// Through the keeper of the running agent.
    package static func keeper(_ inbox: Mailbox<KeeperEvent>) -> SpoolSource {
        SpoolSource(
            page: { position in
                let look = SpoolLook(after: position, reply: Mailbox(itemsMax: 1))
                while !inbox.post(.look(look)) {
                    guard inbox.isOpen else { throw ControlRefusal("the agent stops") }
                    usleep(10_000)
                }
                // A commit on a slow card may take its time.
                for _ in 0..<240 {
                    if let page = look.reply.take(within: 250_000_000).first { return page }
                }
                throw ControlRefusal("the keeper did not answer within a minute")
            }, text: "the running agent's spool")
    }

    /// A folder that no agent has open: of a stopped agent, or a copy.
    ///
    /// - Throws: ``SpoolError/inUse(path:)`` while an agent runs there.
    package static func folder(_ path: String) throws -> SpoolSource {
        let file = Spool.file(path)
        guard access(file, R_OK) == 0 else { throw SystemError("read \(file)") }
        let database = try Database(path: file, readOnly: true)
        do {
            let version = try database.integer("PRAGMA user_version") ?? 0
            guard version == Spool.formatVersion else { throw SpoolError.otherVersion(path: file, found: version) }
        } catch let error as DatabaseError where error.isBusy { throw SpoolError.inUse(path: file) }
        return SpoolSource(page: { try Spool.page(database, after: $0, used: size(file)) }, text: file)
    }

    private static func size(_ file: String) -> Int {
        var status = stat()
        return stat(file, &status) == 0 ? Int(status.st_size) : 0
    }
}

extension Spool {
    /// Rows after `position`; what cannot be read is said, not thrown: the rest is still worth looking at.
    static func page(_ database: Database, after position: Int64, used: Int) throws -> SpoolPage {
        let statement = try database.statement(
            "SELECT position, through, kind, link, envelope, summary FROM record WHERE position > ? ORDER BY position LIMIT ?"
        )
        defer { statement.reset() }
        try statement.bind([.integer(position), .integer(Int64(SpoolPage.rowsMax))])
        var rows: [SpoolPage.Row] = []
        var bytes = 0
        var problem: String?
        do {
            while bytes < SpoolPage.bytesMax, try statement.step() {
                let place = statement.integer(0)
                // A row whose columns contradict each other.
                do { rows.append(SpoolPage.Row(position: place, record: try stored(statement))) } catch {
                    rows.append(SpoolPage.Row(position: place, record: nil))
                }
                bytes += rows.last?.record?.envelope?.count ?? 0
            }
        } catch { problem = error.description }
        return SpoolPage(
            streams: try loadStreams(database), rows: rows, receipt: try loadAgent(database).receipt, usedBytes: used,
            problem: problem)
    }
}

extension Keeper {
    /// Reads one page for somebody who looks: a few milliseconds.
    func show(_ look: SpoolLook) {
        do {
            look.reply.post(try Spool.page(spool.database, after: look.after, used: try spool.usedBytes()))
        } catch {
            look.reply.post(
                SpoolPage(streams: [], rows: [], receipt: nil, usedBytes: 0, problem: "\(error)"))
        }
    }
}
