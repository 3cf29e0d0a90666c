"""What a person does in Dagster's web UI, asked of its GraphQL interface."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REPOSITORY = {"repositoryLocationName": "algo_pipeline", "repositoryName": "__repository__"}
_ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_JSON = {"Content-Type": "application/json"}
_TIMEOUT_S = 30.0
_POLL_S = 0.25

_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_TERMINATE = """mutation($id: String!) { terminateRun(runId: $id, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) {
  __typename } }"""
_TICK = """mutation($selector: ScheduleSelector!, $at: Float) {
  scheduleDryRun(selectorData: $selector, timestamp: $at) {
    __typename ... on DryRunInstigationTick {
      evaluationResult { skipReason runRequests { runKey tags { key value } } } } ... on PythonError { message } } }"""


@dataclass(frozen=True, slots=True)
class DagsterWeb:
    """The web server of a deployment.

    Parameters
    ----------
    url : str
        Its root.
    """

    url: str

    def launch(self, job: str, tags: Mapping[str, str], config: Mapping[str, Any] | None = None) -> str:
        """Put a run into the queue; returns its id."""
        params = {
            "selector": {**_REPOSITORY, "jobName": job},
            "runConfigData": json.dumps(config or {}),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def status(self, run_id: str) -> str:
        """Status of a run, as Dagster spells it."""
        return str(self._ask(_STATUS, {"id": run_id})["runOrError"]["status"])

    def wait_for(self, run_id: str, within_s: float) -> str:
        """Wait until a run has ended; returns its status."""
        deadline = time.monotonic() + within_s
        while (status := self.status(run_id)) not in _ENDED:
            assert time.monotonic() < deadline, f"the run is {status} after {within_s:g} s"
            time.sleep(_POLL_S)
        return status

    def give_up(self, run_id: str) -> None:
        """Mark a run as ended whose process is gone, as the web UI's *Force termination* does."""
        self._ask(_TERMINATE, {"id": run_id})

    def tick(self, schedule: str, at: float) -> Mapping[str, str]:
        """Tags of the one run that a schedule asks for at a time (seconds since 1970)."""
        selector = {**_REPOSITORY, "scheduleName": schedule}
        answer = self._ask(_TICK, {"selector": selector, "at": at})["scheduleDryRun"]
        assert answer["__typename"] == "DryRunInstigationTick", answer
        result = answer["evaluationResult"]
        assert not result["skipReason"], result["skipReason"]
        [request] = result["runRequests"]
        return {tag["key"]: tag["value"] for tag in request["tags"]}

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, _JSON)  # noqa: S310 - a server of the test
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]
