// Files of the logs as they are served and exported, raw sources, health and metrics.

internal import CBOR
internal import CollectorCore
internal import CollectorJournal
internal import Evidence
internal import Keys
internal import Logging
internal import Proofs
internal import Quantities

extension House {
    private func log(_ name: LogName) -> any TransparencyLog {
        switch name {
        case .journal: stores.journal
        case .evidence: stores.evidence
        }
    }

    /// Below `log/<name>/<epoch>/`. A new checkpoint is published when there is something new.
    func logFile(_ name: LogName, epoch: UInt64, path: String) throws -> [UInt8]? {
        let log = log(name)
        if path == "checkpoint", try log.standing() == .current { _ = try log.publish() }
        return try log.file(epoch: epoch, path: path)
    }

    func records(_ name: LogName, epoch: UInt64, bundle: UInt64) throws -> [UInt8]? {
        try log(name).records(epoch: epoch, bundle: bundle)
    }

    func object(_ digest: Digest) throws -> [UInt8]? { try stores.objects.get(digest) }

    /// Raw input of a source statement, kept under its digest before the statement comes.
    func keep(source bytes: [UInt8]) throws -> Digest { try stores.objects.put(bytes) }

    /// `{1: journal epochs, 2: evidence epochs, 3: [* log vkey]}`.
    func houseFile() throws -> [UInt8] {
        let journal = try stores.journal.epochs()
        let evidence = try stores.evidence.epochs()
        let logKeys = (journal + evidence).compactMap { epoch -> String? in
            keys.log.publicKey.rawEd25519.flatMap { NoteVerifierKey(name: epoch.origin.description, ed25519: $0) }?
                .description
        }
        return CBORValue.fields([
            (1, .unsigned(UInt64(journal.count))), (2, .unsigned(UInt64(evidence.count))),
            (3, .array(logKeys.map { .text($0) })),
        ]).encoded()
    }

    // MARK: - Health

    func note(_ share: PartitionShare, isConnected: Bool) {
        if isConnected { connectedShares.insert(share) } else { connectedShares.remove(share) }
    }

    private var isBrokerConnected: Bool { connectedShares.count == configuration.broker.partitions }

    func healthTroubles() -> [String] {
        var reasons: [String] = []
        if let text = revocations.trouble { reasons.append(text) }
        if !isBrokerConnected { reasons.append("no connection to the broker") }
        for name in LogName.allCases {
            do {
                let standing = try log(name).standing()
                if standing != .current { reasons.append("\(name.rawValue): \(standing)") }
            } catch { reasons.append("\(name.rawValue): \(error)") }
        }
        return reasons
    }

    /// A long job could not be done.
    func fail(_ window: WindowID, _ text: String) {
        isComputing = false
        logger.error("window \(window.text): \(text)")
        trouble("\(window.text): \(text)")
    }

    /// Prometheus text format 0.0.4.
    func metrics() -> String {
        var text = ""
        func add(_ name: String, _ type: String, _ help: String, _ samples: [(labels: String, value: String)]) {
            text += "# HELP kilomint_\(name) \(help)\n# TYPE kilomint_\(name) \(type)\n"
            for sample in samples { text += "kilomint_\(name)\(sample.labels) \(sample.value)\n" }
        }
        let ids = gateways.ids
        add(
            "gateway_records_total", "counter", "Records taken since start.",
            ids.map { ("{gateway=\"\($0)\"}", "\(gateways.gateway($0)?.records ?? 0)") })
        add(
            "gateway_readings_total", "counter", "Samples taken since start.",
            ids.map { ("{gateway=\"\($0)\"}", "\(gateways.gateway($0)?.readings ?? 0)") })
        add(
            "gateway_online", "gauge", "1 when the gateway's status says online.",
            ids.map { ("{gateway=\"\($0)\"}", gateways.gateway($0)?.isOnline == true ? "1" : "0") })
        add(
            "refusals_total", "counter", "Messages refused by code.",
            refusals.totals.map { ("{code=\"\($0.code.rawValue)\"}", "\($0.count)") })
        add("windows_cut", "gauge", "Windows cut.", [("", "\(state.windows.count)")])
        add(
            "windows_unsettled", "gauge", "Windows cut and not settled.",
            [("", "\(state.windows.count { !$0.isSettled })")])
        add(
            "replay_mismatches", "gauge", "Windows whose replay gave another digest.",
            [("", "\(state.windows.count { $0.replay?.body.isEqual == false })")])
        add("supply_minor_units", "gauge", "Supply in minor units.", [("", supply.description)])
        add(
            "samples_held", "gauge", "Samples no window has settled yet.",
            [("", "\(ids.reduce(0) { $0 + admission.sampleCount($1) })")])
        add("broker_connected", "gauge", "1 when connected to the broker.", [("", isBrokerConnected ? "1" : "0")])
        return text
    }

    // MARK: - Console

    func consoleModel() -> ConsoleModel {
        let (isReplay, speed): (Bool, Int64) =
            if case .replayed(_, let speed, _) = clock { (true, speed) } else { (false, 1) }
        var model = ConsoleModel(
            tenant: state.genesis.tenant.text, asset: state.genesis.asset, isReplay: isReplay, speed: speed, now: now())
        let plant = state.registry.plant(at: now())
        model.warnings = Array(Set(healthTroubles() + troubles)).sorted()
        model.gateways = Set(gateways.ids + intake.gatewayIDs).sorted().map { consoleGateway($0) }
        model.windows = consoleWindows()
        model.supply = supply.description
        model.accounts = consoleAccounts()
        model.nameplateWatts = plant.sites.flatMap(\.meteringPoints).reduce(0) { $0 + $1.nameplateWatts }
        model.refusals = refusals.totals.reduce(0) { $0 + $1.count }
        for name in LogName.allCases {
            do {
                guard let published = try log(name).published(epoch: nil) else { continue }
                model.heads.append(
                    ConsoleModel.Head(
                        log: name.rawValue, origin: published.checkpoint.origin, size: published.checkpoint.size,
                        root: published.checkpoint.root.description))
                if name == .evidence { model.evidenceRecords = try log(name).end().index }
            } catch { model.warnings.append("\(name.rawValue): \(error)") }
        }
        let revenue = plant.sites.flatMap(\.meteringPoints).map(\.revenueMeter)
        if let meter = gateways.ids.compactMap({ gateways.gateway($0) }).flatMap(\.meters).first(where: {
            revenue.contains($0.id)
        }) {
            // OBIS 16.7.0 counts import as positive: what leaves the plant is negative.
            // A clock that was set has quarter hours of 1970 before it: a plot over all of that is no plot.
            model.power = meter.power.filter { now() - $0.at <= ConsolePlots.powerSpan }.map {
                ConsoleModel.Power(at: $0.at, watts: -($0.sum / max(1, $0.count)))
            }
        }
        return model
    }

    private func consoleGateway(_ id: Identifier) -> ConsoleModel.Gateway {
        let board = gateways.gateway(id)
        let plant = state.registry.plant(at: now())
        let revenue = Set(plant.sites.flatMap(\.meteringPoints).map(\.revenueMeter))
        let meters = (board?.meters ?? []).map { meter in
            var view = ConsoleModel.Meter(
                id: meter.id.text, model: meter.model, serial: meter.serial,
                role: revenue.contains(meter.id) ? "revenue" : "check")
            view.register = meter.energy.map { ConsolePage.kilowattHours($0.energy.wattHours) + " kWh" }
            view.watts = meter.watts.map { -$0 }
            view.readAt = meter.readAt
            return view
        }
        return ConsoleModel.Gateway(
            id: id.text, isOnline: board?.isOnline ?? false, records: board?.records ?? 0,
            completeThrough: admission.completeThrough(id), note: nil, meters: meters)
    }

    private func consoleWindows() -> [ConsoleModel.Window] {
        var windows = state.windows.map { window -> ConsoleModel.Window in
            var energy: [String: Int64] = [:]
            for day in days(window) {
                if let meter = day.exported { energy["M", default: 0] += meter }
                for source in day.sources { energy[source.source.rawValue, default: 0] += source.wattHours }
            }
            let held = window.decision?.body.lines.first { !$0.isAllowed }
            return ConsoleModel.Window(
                id: window.window.text, start: window.cut.start, end: window.cut.end, cutAt: window.cutAt,
                state: window.step.rawValue,
                energy: ["M", "C", "S", "A", "D"].compactMap { letter in energy[letter].map { (letter, $0) } },
                confidencePPM: window.verified.map(\.body.lowestConfidence.value).min()
                    ?? days(window).map(\.confidence).min(),
                issued: window.issued.reduce(0) { $0 + $1.body.amount.minorUnits },
                supplyAfter: window.supplyAfter?.description,
                outputDigest: window.allocation?.body.outputDigest.description,
                hold: window.isSettled ? nil : held.map { "\($0.reason ?? "held"): \($0.action ?? "")" })
        }
        var index = Int64(state.windows.count)
        while let window = grid.window(index), window.start <= now(), windows.count < 10_000 {
            windows.append(
                ConsoleModel.Window(
                    id: window.id.text, start: window.start, end: window.end, cutAt: grid.cutInstant(of: window),
                    state: window.end <= now() ? "grace" : "open", energy: [], confidencePPM: nil, issued: 0,
                    supplyAfter: nil,
                    outputDigest: nil, hold: nil))
            index += 1
        }
        return windows
    }
}
