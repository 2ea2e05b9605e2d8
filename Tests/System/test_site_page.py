"""From nothing, through the page in a real browser, to a commissioned meter: nobody but the browser ever has the claim's secret."""

import base64
import os
import pathlib
import subprocess
import unittest

import house
from browser import Browser
from test_sites import BareHouse

FIELDS = {
    "entity": house.ENTITY, "gateway": "+", "gateway__id": house.GATEWAY,
    "meter__0__id": "b23-east", "meter__0__vendor": "ABB", "meter__0__model": "B23", "meter__0__serial": "20160701", "meter__0__profile": "abb/b23", "meter__0__class": "mid",
    "point__0__id": house.POINT, "point__0__direction": "export", "point__0__revenue": "b23-east", "point__0__nameplate": "6000",
    "point__0__latitude": "39.742", "point__0__longitude": "-105.1727",
}
# For whoever wants to look: a folder for screenshots.
SHOTS = os.environ.get("KILOMINT_SHOTS")


class SitePage(unittest.TestCase):
    def test_from_the_form_to_a_commissioned_meter(self):
        with BareHouse() as one, Browser() as page:
            one.serve()
            page.open(one.url + "/devices/new")
            self.shoot(page, "form")
            page.run("window.sameDocument = true")
            page.fill(**FIELDS)
            page.fill(meter__0__ratio="0/0", point__0__direction="")
            page.press("button.main")
            page.until("document.querySelectorAll('[aria-invalid]').length === 2")
            self.shoot(page, "errors")
            page.fill(meter__0__ratio="1", point__0__direction="export")
            page.press("button.main")
            page.until("document.querySelector('#code:not([hidden]) .secret')?.textContent")
            code = page.run("document.querySelector('#code .secret').textContent")
            self.assertRegex(code, "^KM1-[0-9A-HJKMNP-TV-Z]{20}-[0-9A-HJKMNP-TV-Z]{26}$")
            self.assertIn("kilomint-agent enroll --url", page.run("document.querySelector('#code .command').textContent"))
            self.picture_says(one, page, code)
            self.shoot(page, "draft")
            self.step(page, "now", "Registered")
            draft = one.dir / "page.draft"
            draft.write_bytes(base64.b64decode(page.run("document.querySelector('a[download]').href").split(",", 1)[1]))
            self.comes_back_signed(one, page, draft)
            self.step(page, "done", "Claimed")
            self.step(page, "now", "Enrolled")
            self.becomes_alive(one, page, code)
            self.assertTrue(page.run("window.sameDocument"), "the page was loaded again")
            self.secret_is_nowhere(one, code.split("-")[1])
            page.open(one.url + "/")
            # As it is when more was issued than this house ever will.
            page.run("document.querySelectorAll('.stations .figure')[5].firstChild.textContent = '1 234 567 '")
            self.assertLess(page.run("Math.max(...[...document.querySelectorAll('.stations .figure')].map((each) => each.clientHeight))"), 40)
            self.shoot(page, "console")
            page.open(one.url + "/devices")
            self.shoot(page, "devices")
            page.open(f"{one.url}/gateways/{house.GATEWAY}")
            self.shoot(page, "gateway")

    def comes_back_signed(self, one, page, draft):
        """Three sign copies of their own; they come back on the page that made the draft, with the operator's token."""
        copies = []
        for name in ("root", "person-a", "person-b"):
            copies.append(one.dir / f"{name}.draft")
            copies[-1].write_bytes(draft.read_bytes())
            one.device("sign", copies[-1], *one.keys(name))
        said = lambda words: page.until(f"document.querySelector('#signed .warnings:not([hidden])')?.textContent.includes({words!r})")
        page.press("#signed button")
        said("choose the file that was signed")
        page.choose("#signed input[type=file]", *copies)
        page.press("#signed button")
        said("A token is needed")
        page.fill(token="not-the-operators-token")
        page.press("#signed button")
        said("A token is needed")
        token = (one.dir / "keys/operator.token").read_text().strip()
        page.fill(token=token)
        page.choose("#signed input[type=file]", draft)
        page.press("#signed button")
        said("Nobody has signed it")
        page.choose("#signed input[type=file]", *copies[:2])
        page.press("#signed button")
        said("Not all of it is taken")
        self.assertIn("dual control", page.run("document.querySelector('#signed .taken').textContent"))
        self.shoot(page, "refused")
        # The last copy is pasted; what stands already is left as it is.
        page.choose("#signed input[type=file]", *copies[:2])
        page.fill(pasted=base64.b64encode(copies[2].read_bytes()).decode())
        page.press("#signed button")
        page.until("[...document.querySelectorAll('#signed .taken strong')].some((each) => each.textContent === 'stood already')")
        states = page.run("[...document.querySelectorAll('#signed .taken strong')].map((each) => each.textContent)")
        self.assertEqual(set(states), {"taken", "stood already"})
        self.shoot(page, "handed-in")

    def becomes_alive(self, one, page, code):
        # The inverter is not registered: the agent reads what its own file names, the house asks about the meter it knows.
        one.enrolled_with(code)
        self.step(page, "done", "Enrolled")
        self.step(page, "now", "First record")
        one.run_one("plant")
        one.run_one("agent")
        self.step(page, "done", "First record")
        self.step(page, "done", "First receipt")
        self.step(page, "now", "Commissioned")
        one.until("the meter is read", lambda: "not read yet" not in one.shown(house.GATEWAY), 60)
        one.commissioned()
        self.step(page, "done", "Commissioned")

    def step(self, page, state, name):
        page.until(f"""[...document.querySelectorAll('#live li.{state} strong')].some((each) => each.textContent === '{name}')""")

    def picture_says(self, one, page, code):
        """Another program reads the QR off the screen."""
        shot = one.dir / "qr.png"
        page.screenshot(shot, ".qr svg")
        read = subprocess.run(["zbarimg", "--quiet", "--raw", shot], capture_output=True, text=True)
        self.assertEqual(read.stdout.strip(), code, read.stderr)

    def secret_is_nowhere(self, one, secret):
        """Whoever enrolled said the secret to the enrolment port, and the Journal has it since, used up; the logs never had it."""
        for path in (one.dir / "log").iterdir():
            self.assertNotIn(secret.encode(), path.read_bytes(), path)

    def shoot(self, page, name):
        for width, height in ((1280, 800), (900, 800), (700, 800), (390, 844)):
            page.size(width, height)
            wide = page.run("[document.documentElement.scrollWidth, innerWidth]")
            self.assertLessEqual(wide[0], wide[1], f"{name} is wider than {width} px")
            if SHOTS:
                page.screenshot(pathlib.Path(SHOTS) / f"{name}-{width}.png")
        page.size(1280, 800)


if __name__ == "__main__":
    unittest.main()
