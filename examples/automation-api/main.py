"""Pulumi embedded in a program of your own: no Pulumi.yaml, the stack's program is a function.

`python main.py contoso contoso-vm [version]` takes the offer live, and says what became of it.
"""

import json
import sys
import tempfile

import pulumi
from pulumi import automation

from providers.azure_marketplace import OfferGoLive


def take_live(publisher_id: str, offer_id: str, version: str | None) -> automation.UpResult:
    def program() -> None:
        offer = OfferGoLive("offer", publisher_id=publisher_id, offer_id=offer_id, offer_version=version)
        pulumi.export("offer", offer.report)

    settings = automation.ProjectSettings(
        name="automation-api",
        # The provider runs in a process of its own: in the Python that runs this.
        runtime=automation.ProjectRuntimeInfo("python", {"toolchain": "pip", "virtualenv": sys.prefix}),
    )
    # Pulumi writes the project into a folder, and would leave that behind.
    with tempfile.TemporaryDirectory() as folder:
        stack = automation.create_or_select_stack(
            stack_name=offer_id,
            project_name=settings.name,
            program=program,
            opts=automation.LocalWorkspaceOptions(work_dir=folder, project_settings=settings),
        )
        # Many offers in one stack: parallel= says how many wait side by side.
        return stack.up(parallel=100, on_output=lambda line: print(line, file=sys.stderr))


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        print("usage: python main.py PUBLISHER_ID OFFER_ID [VERSION]", file=sys.stderr)
        return 2
    publisher_id, offer_id, *version = arguments
    try:
        result = take_live(publisher_id, offer_id, version[0] if version else None)
    except automation.CommandError as error:
        print(error, file=sys.stderr)
        return 1  # run again: a go-live that is running is found, and none is submitted twice
    print(json.dumps(result.outputs["offer"].value, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
