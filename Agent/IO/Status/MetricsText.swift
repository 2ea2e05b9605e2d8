// The agent's figures for Prometheus, in its text format 0.0.4. A scrape changes nothing.

internal import AgentCore
internal import Quantities

extension StatusBoard {
    /// The whole answer of a scrape.
    package var metrics: String {
        let (now, service) = snapshot
        var page = MetricsPage()
        page.add("kilomint_agent_info", .gauge, "Always 1; who this is.") {
            [MetricsPage.Sample([("gateway", now.gateway), ("version", agentVersion)], 1)]
        }
        for (name, kind, help, value) in plainFigures(now, service) {
            page.add("kilomint_agent_" + name, kind, help) { [MetricsPage.Sample([], value)] }
        }
        if let ends = now.broker.certificateEnds {
            page.add("kilomint_agent_certificate_not_after_seconds", .gauge, "Unix time at which it ends.") {
                [MetricsPage.Sample([], ends.milliseconds / 1000)]
            }
        }
        if let seconds = now.secondsSinceReceipt {
            page.add("kilomint_agent_receipt_age_seconds", .gauge, "Since the last receipt that counted.") {
                [MetricsPage.Sample([], seconds)]
            }
        }
        addKey(now.key, to: &page)
        addRemote(to: &page)
        addBuses(to: &page)
        addShadows(to: &page)
        return page.text
    }

    /// Figures with neither labels nor parts: name, kind, help, value.
    private func plainFigures(
        _ now: AgentFigures, _ service: ServiceFigures
    ) -> [(String, MetricsPage.Kind, String, Int64)] {
        [
            ("ready", .gauge, "1 once the first commit was tried.", service.isReady ? 1 : 0),
            ("uptime_seconds", .gauge, "Since the agent's start.", service.uptimeSeconds),
            ("records_signed_total", .counter, "Records of the open stream.", Int64(clamping: now.head)),
            ("records_receipted_total", .counter, "Of the stream being sent.", Int64(clamping: now.receipted)),
            ("records_in_flight", .gauge, "Sent and not receipted.", Int64(now.inFlight)),
            ("resends_total", .counter, "Times that no receipt came in time.", Int64(now.resends)),
            ("broker_connected", .gauge, "1 while connected.", now.isConnected ? 1 : 0),
            ("broker_rival", .gauge, "1 while another client seems to use our id.", now.broker.isRivalled ? 1 : 0),
            ("broker_refuses", .gauge, "1 while our topics are refused.", now.evidence.refusal == nil ? 0 : 1),
            ("sessions_taken_over_total", .counter, "Said by the broker.", Int64(clamping: now.broker.takenOver)),
            ("spool_bytes", .gauge, "Bytes in use.", Int64(now.spoolBytes)),
            ("spool_bytes_max", .gauge, "Bytes allowed.", Int64(now.spoolBytesMax)),
            ("spool_writable", .gauge, "0 while the disk refuses commits.", now.isWritable ? 1 : 0),
            ("key_signs", .gauge, "0 while the key's store does not sign.", service.signerProblem == nil ? 1 : 0),
            ("reads_waiting", .gauge, "Reads that wait for the next commit.", Int64(readsWaiting)),
            (
                "receipts_refused_total", .counter, "Not signed by a key that may.",
                Int64(clamping: now.unbelieved.receiptsRefused)
            ),
            (
                "receipts_ignored_total", .counter, "About other records.",
                Int64(clamping: now.unbelieved.receiptsIgnored)
            ),
            ("messages_unknown_total", .counter, "On other topics.", Int64(clamping: now.unbelieved.messagesUnknown)),
            (
                "commands_unbelieved_total", .counter, "Not signed by a key that may, others', or seen before.",
                Int64(clamping: now.unbelieved.commandsUnbelieved)
            ),
            ("salvaging", .gauge, "1 while a damaged spool is taken over.", now.isSalvaging ? 1 : 0),
            ("reloads_total", .counter, "Configurations applied while running.", Int64(service.reloads)),
            ("reloads_refused_total", .counter, "Configurations refused while running.", Int64(service.refusals)),
        ]
    }

    private func addKey(_ key: KeyFigures, to page: inout MetricsPage) {
        if let seconds = key.ageSeconds {
            page.add("kilomint_agent_key_age_seconds", .gauge, "Since the key in force signs.") {
                [MetricsPage.Sample([], seconds)]
            }
        }
        let change = key.progress
        page.add("kilomint_agent_key_change_seconds", .gauge, "Since a change of keys stands at its step; 0: none.") {
            [MetricsPage.Sample([], change.milliseconds / 1_000)]
        }
        page.add("kilomint_agent_key_change_hangs", .gauge, "1 while a change of keys does not come to its end.") {
            [MetricsPage.Sample([], change.hangs ? 1 : 0)]
        }
    }

    /// Of the lines whose drivers count them.
    private func addCharacters(of buses: [BusStatus], to page: inout MetricsPage) {
        let kinds: [(String, String, KeyPath<CharacterErrors, UInt64>)] = [
            ("characters", "Characters received.", \.received),
            ("framing_errors", "Characters without stop bit.", \.framing),
            ("parity_errors", "Characters of wrong parity.", \.parity),
            ("overruns", "Characters nobody took in time.", \.overruns),
            ("breaks", "Times the line was held low.", \.breaks),
        ]
        for (name, help, figure) in kinds {
            page.add("kilomint_agent_bus_\(name)_total", .counter, help) {
                buses.compactMap { bus in
                    bus.figures.characters.map {
                        MetricsPage.Sample(
                            [("bus", bus.plan.endpoint.text)], Int64(clamping: $0[keyPath: figure]))
                    }
                }
            }
        }
    }

    private func addRemote(to page: inout MetricsPage) {
        let now = remote.now
        let figures: [(String, MetricsPage.Kind, String, Int64)] = [
            ("version", .gauge, "In force; 0: the site's file alone.", Int64(clamping: now.inForce)),
            ("trial", .gauge, "Version on trial; 0: none.", Int64(clamping: now.onTrial)),
            ("applied_total", .counter, "Versions confirmed.", Int64(now.applied)),
            ("rolled_back_total", .counter, "Versions taken back.", Int64(now.rolledBack)),
            ("refused_total", .counter, "Commands believed and not followed.", Int64(now.refused)),
        ]
        for (name, kind, help, value) in figures {
            page.add("kilomint_agent_remote_" + name, kind, help) { [MetricsPage.Sample([], value)] }
        }
    }

    private func addShadows(to page: inout MetricsPage) {
        let lines = shadow.lines
        guard !lines.isEmpty else { return }
        let kinds: [(String, MetricsPage.Kind, String, (ShadowBoard.Line) -> UInt64)] = [
            (
                "agreed", .gauge, "Comparisons with the shadow profile that agreed since the last difference.",
                { $0.tally.agreed }
            ),
            ("differed_total", .counter, "Comparisons with the shadow profile that differed.", { $0.tally.differed }),
        ]
        for (name, kind, help, value) in kinds {
            page.add("kilomint_agent_shadow_" + name, kind, help) {
                lines.map { line in
                    let labels = [("meter", line.meter), ("obis", line.obis), ("profile", line.shadow)]
                    return MetricsPage.Sample(labels, Int64(clamping: value(line)))
                }
            }
        }
    }

    private func addBuses(to page: inout MetricsPage) {
        let buses = busStatuses
        let kinds: [(String, MetricsPage.Kind, String, (BusStatus) -> Int64)] = [
            ("connects_total", .counter, "Connections made.", { Int64(clamping: $0.figures.connects) }),
            ("stray_bytes_total", .counter, "Bytes nobody asked for.", { Int64(clamping: $0.figures.strayBytes) }),
            ("missed_total", .counter, "Multiples of an interval that passed unread.", { $0.figures.missed }),
            ("load_percent", .gauge, "Time the bus is busy.", { $0.load }),
            ("cycle_too_short", .gauge, "1 while the bus misses reads.", { $0.figures.isCycleTooShort ? 1 : 0 }),
            ("open", .gauge, "0 while the bus cannot be opened.", { $0.figures.problem == nil ? 1 : 0 }),
        ]
        for (name, kind, help, value) in kinds {
            page.add("kilomint_agent_bus_" + name, kind, help) {
                buses.map { MetricsPage.Sample([("bus", $0.plan.endpoint.text)], value($0)) }
            }
        }
        addCharacters(of: buses, to: &page)
        let meters = buses.flatMap { bus in
            zip(bus.plan.meters, bus.figures.meters).map { (bus.plan.endpoint.text, $0.id.text, $1) }
        }
        let counters: [(String, String, KeyPath<MeterFigures, UInt64>)] = [
            ("requests", "Requests sent.", \.requests), ("good", "Answers that fit.", \.good),
            ("timeouts", "No answer in time.", \.timeouts), ("checksums", "Frames that were damaged.", \.checksums),
            ("wrong_units", "Answers of another unit.", \.wrongUnits),
            ("wrong_answers", "Answers to something else.", \.wrongAnswers), ("echoes", "Our own bytes.", \.echoes),
            ("disconnects", "Connections lost.", \.disconnects), ("not_connected", "No connection.", \.notConnected),
            ("backed_off", "Reads not sent: the meter is silent.", \.backedOff),
            ("exceptions", "Modbus exceptions.", \.exceptionsTotal),
        ]
        for (name, help, figure) in counters {
            page.add("kilomint_agent_meter_\(name)_total", .counter, help) {
                meters.map { bus, meter, figures in
                    MetricsPage.Sample([("bus", bus), ("meter", meter)], Int64(clamping: figures[keyPath: figure]))
                }
            }
        }
    }
}

extension MeterFigures {
    fileprivate var exceptionsTotal: UInt64 { exceptions.reduce(0, &+) }
}

/// Lines of the text format (Prometheus, exposition formats, text-based format).
struct MetricsPage {
    enum Kind: String {
        case counter
        case gauge
    }

    struct Sample {
        let labels: [(String, String)]
        let value: Int64

        init(_ labels: [(String, String)], _ value: Int64) {
            self.labels = labels
            self.value = value
        }
    }

    private(set) var text = ""

    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: () -> [Sample]) {
        let lines = samples().map { sample in
            let labels = sample.labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
            return name + (labels.isEmpty ? "" : "{\(labels)}") + " \(sample.value)\n"
        }
        guard !lines.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n" + lines.joined()
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}
