// The house's part of the form on which a site is registered: what it offers, and what stands against it.

internal import CollectorCore
internal import Evidence
internal import Quantities

extension House {
    func siteChoices() -> SiteChoices {
        let instant = decisionTime()
        let plant = state.registry.plant(at: instant)
        let fingerprint = enrolment.map { enrolment in
            String(
                ClaimCode(
                    random: [UInt8](repeating: 0, count: ClaimCode.randomBytes),
                    certificate: enrolment.authority.certificate
                ).text.suffix(ClaimCode.fingerprintCharacters))
        }
        return SiteChoices(
            now: instant, tenant: state.genesis.tenant.text,
            organisations: state.registry.documents(ofKind: 1, at: instant).map {
                RegistrationSubject($0.registration.body).id
            },
            entities: plant.sites.map(\.entity),
            gateways: state.registry.gatewayIDs(at: instant).compactMap { state.registry.gateway($0, at: instant) },
            meters: state.registry.documents(ofKind: 5, at: instant).map {
                RegistrationSubject($0.registration.body).id
            },
            profiles: profiles.names, enrolmentURL: enrolmentURL, fingerprint: fingerprint,
            claimLifetime: enrolment?.configuration.claimLifetime ?? 0)
    }

    /// Reads the form and judges what it says.
    func siteForm(_ fields: FormFields) -> SiteForm {
        let adding = fields["add"]
        if ["principal", "meter", "point"].contains(adding) {
            return SiteForm(adding: adding, to: fields, siteChoices())
        }
        var form = SiteForm(fields, siteChoices(), nextClaim: { state.registry.nextNumber(kind: 7, $0) })
        // What is missing because its own field is wrong would be told twice.
        guard form.errors.isEmpty else { return form }
        for (drafted, finding) in zip(form.registrations, findings(form.registrations.map(\.registration))) {
            guard let finding else { continue }
            form.refuse(Self.field(finding, drafted.registration.body, drafted.prefix), finding.text)
        }
        return form
    }

    /// Where a finding is told.
    private static func field(_ finding: DraftFinding, _ body: Registration.Body, _ prefix: String) -> String {
        switch (body, finding.code.flatMap { RegistrationRefusal(rawValue: $0) }) {
        case (.entity, .unknownOrganisation): prefix + "organisation"
        case (.entity, .accountTaken): "principal.0.account"
        case (.meter, .meterClaimedTwice): prefix + "serial"
        case (.meter, nil): prefix + "profile"
        case (.meteringPoint, .unknownMeter), (.meteringPoint, .meterUsedTwice): prefix + "revenue"
        case (.claim, _): "gateway"
        default: prefix + "id"
        }
    }
}
