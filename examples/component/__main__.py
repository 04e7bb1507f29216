"""What a team writes: its offers, and the versions that it has reviewed."""

import pulumi
from launches import Launches

team = Launches("appliances", publisher_id="contoso", offers={"contoso-vm": "7", "contoso-app": "3"})

pulumi.export("live_versions", team.live_versions)
for name, offer in team.offers.items():
    pulumi.export(name, offer.report)
