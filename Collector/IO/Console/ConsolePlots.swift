// The console's two plots as SVG: production by source for each window, and the power of the last two days.

internal import Quantities

enum ConsolePlots {
    /// A plot is drawn twice: for desktops and, in other proportions, for phones; the style shows one of them.
    private struct Frame {
        let width: Int
        let height: Int
        let name: String
        let left = 40
        let right = 8
        /// Windows shown at most.
        let windowsMax: Int

        static func both(height: Int) -> [Frame] {
            [
                Frame(width: 960, height: height, name: "wide-plot", windowsMax: 14),
                Frame(width: 360, height: height * 9 / 10, name: "narrow", windowsMax: 7),
            ]
        }
    }

    /// Bars by window: meter filled, satellite as an outline behind it, check meter and auditor as marks.
    static func production(_ model: ConsoleModel) -> String {
        let windows = model.windows.filter { !$0.energy.isEmpty }
        guard !windows.isEmpty else {
            return figure(
                "Production by source", "",
                "<p class=\"empty\">The first window is cut a day of grace after its end.</p>")
        }
        let legend =
            "<span class=\"key m\">Meter</span><span class=\"key s\">Satellite</span><span class=\"key c\">Check meter</span><span class=\"key a\">Auditor</span>"
        let plots = Frame.both(height: 230).map { productionPlot(Array(windows.suffix($0.windowsMax)), $0) }
        return figure("Production by source, kWh a window", legend, plots.joined())
    }

    private static func productionPlot(_ windows: [ConsoleModel.Window], _ frame: Frame) -> String {
        let (height, width, left, right) = (frame.height, frame.width, frame.left, frame.right)
        let (top, bottom) = (12, 26)
        let largest = max(1, windows.flatMap(\.energy).map(\.wattHours).max() ?? 1)
        let step = niceStep(largest)
        let scale = (largest + step - 1) / step * step
        func y(_ wattHours: Int64) -> Int { height - bottom - Int(wattHours * Int64(height - top - bottom) / scale) }
        var marks = ""
        for tick in stride(from: Int64(0), through: scale, by: Int64.Stride(step)) {
            marks += "<line class=\"grid\" x1=\"\(left)\" x2=\"\(width - right)\" y1=\"\(y(tick))\" y2=\"\(y(tick))\"/>"
            marks +=
                "<text class=\"axis\" x=\"\(left - 6)\" y=\"\(y(tick) + 4)\" text-anchor=\"end\">\(tick / 1000)</text>"
        }
        let slot = (width - left - right) / max(7, windows.count)
        for (index, window) in windows.enumerated() {
            marks += bars(window, x: left + index * slot, slot: slot, base: height - bottom, y: y)
        }
        return svg(frame, "Production by source for each window", marks)
    }

    private static func bars(_ window: ConsoleModel.Window, x: Int, slot: Int, base: Int, y: (Int64) -> Int) -> String {
        let bar = min(56, slot * 6 / 10)
        let start = x + (slot - bar) / 2
        var marks = "<g><title>\(title(window))</title>"
        if let satellite = window.energy(of: "S") {
            marks +=
                "<rect class=\"s\" x=\"\(start - 5)\" width=\"\(bar + 10)\" y=\"\(y(satellite))\" height=\"\(max(1, base - y(satellite)))\" rx=\"3\"/>"
        }
        if let meter = window.energy(of: "M") {
            marks +=
                "<rect class=\"m\" x=\"\(start)\" width=\"\(bar)\" y=\"\(y(meter))\" height=\"\(max(1, base - y(meter)))\" rx=\"2\"/>"
        }
        if let check = window.energy(of: "C") {
            marks +=
                "<line class=\"c\" x1=\"\(start - 5)\" x2=\"\(start + bar + 5)\" y1=\"\(y(check))\" y2=\"\(y(check))\"/>"
        }
        if let auditor = window.energy(of: "A") {
            marks += "<circle class=\"a\" cx=\"\(start + bar / 2)\" cy=\"\(y(auditor))\" r=\"5\"/>"
        }
        marks +=
            "<text class=\"axis\" x=\"\(start + bar / 2)\" y=\"\(base + 18)\" text-anchor=\"middle\">\(dayAndMonth(window.start))</text></g>"
        return marks
    }

    private static func title(_ window: ConsoleModel.Window) -> String {
        let parts = window.energy.map {
            "\(ConsolePage.sourceName($0.source)) \(ConsolePage.kilowattHours($0.wattHours)) kWh"
        }
        return window.id + ": " + parts.joined(separator: ", ")
    }

    /// What the plot of power goes back, ms.
    static let powerSpan: Int64 = 2 * 86_400_000

    /// The revenue meter's power as an area over time.
    static func power(_ model: ConsoleModel) -> String {
        guard let first = model.power.first?.at, let last = model.power.last?.at, last > first else {
            return figure("Power", "", "<p class=\"empty\">No power read yet.</p>")
        }
        let plots = Frame.both(height: 150).map { powerPlot(model.power, first, last, $0) }
        return figure("Power of the revenue meters, kW", "", plots.joined())
    }

    private static func powerPlot(
        _ power: [ConsoleModel.Power], _ first: UTCInstant, _ last: UTCInstant, _ frame: Frame
    ) -> String {
        let (height, width, left, right) = (frame.height, frame.width, frame.left, frame.right)
        let (top, bottom) = (10, 24)
        let largest = max(1000, power.map(\.watts).max() ?? 1)
        func x(_ at: UTCInstant) -> Int { left + Int((at - first) * Int64(width - left - right) / (last - first)) }
        func y(_ watts: Int64) -> Int { height - bottom - Int(max(0, watts) * Int64(height - top - bottom) / largest) }
        let line = power.map { "\(x($0.at)),\(y($0.watts))" }.joined(separator: " ")
        var marks =
            "<polygon class=\"area\" points=\"\(x(first)),\(height - bottom) \(line) \(x(last)),\(height - bottom)\"/>"
        marks += "<polyline class=\"line\" points=\"\(line)\"/>"
        for tick in [Int64(0), largest / 1000 * 1000] {
            marks +=
                "<text class=\"axis\" x=\"\(left - 6)\" y=\"\(y(tick) + 4)\" text-anchor=\"end\">\(tick / 1000)</text>"
        }
        var midnight = UTCInstant(milliseconds: (first.milliseconds / 21_600_000 + 1) * 21_600_000)
        let step: Int64 = frame.width > 500 ? 21_600_000 : 43_200_000
        while midnight <= last {
            let hour = midnight.milliseconds / 3_600_000 % 24
            marks +=
                "<line class=\"grid\" x1=\"\(x(midnight))\" x2=\"\(x(midnight))\" y1=\"\(top)\" y2=\"\(height - bottom)\"/>"
            // Within the picture: the text is some 36 wide.
            let middle = min(x(midnight), width - 18)
            marks +=
                "<text class=\"axis\" x=\"\(middle)\" y=\"\(height - 6)\" text-anchor=\"middle\">\(hour < 10 ? "0" : "")\(hour):00</text>"
            midnight = midnight + step
        }
        return svg(frame, "Power of the last two days", marks)
    }

    private static func figure(_ caption: String, _ legend: String, _ content: String) -> String {
        "<figure><figcaption>\(caption)<span class=\"legend\">\(legend)</span></figcaption>\(content)</figure>"
    }

    private static func svg(_ frame: Frame, _ label: String, _ marks: String) -> String {
        "<svg class=\"\(frame.name)\" viewBox=\"0 0 \(frame.width) \(frame.height)\" role=\"img\" aria-label=\"\(label)\">\(marks)</svg>"
    }

    private static func niceStep(_ largest: Int64) -> Int64 {
        for step in [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000] as [Int64]
        where largest / step <= 5 {
            return step
        }
        return max(1_000, largest / 5 / 1_000 * 1_000)
    }

    private static func dayAndMonth(_ instant: UTCInstant) -> String {
        ConsolePage.clock(instant).split(separator: " ").first.map(String.init) ?? ""
    }
}
