// The collector's command line. Each subcommand is a file; no decisions here.

internal import ArgumentParser

@main
struct KilomintCollector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kilomint-collector",
        abstract: "Collects signed meter readings, verifies production, seals windows and issues from them.",
        discussion: """
            A house begins once:   kilomint-collector key create --out keys/root.pem   (and so on for each role)
                                   kilomint-collector genesis --config collector.yaml --house house.yaml
            and then runs:         kilomint-collector serve --config collector.yaml

            Exit status: 0 done · 64 wrong usage · 69 a port or broker cannot be had · 70 a check failed · 78 configuration refused.
            """,
        version: "kilomint-collector 0.1.0",
        subcommands: [
            KeyCommand.self, CACommand.self, GenesisCommand.self, DeviceCommand.self, ServeCommand.self,
            SourceCommand.self, ExportCommand.self,
            EpochCommand.self,
            ReplayCommand.self,
        ])
}
