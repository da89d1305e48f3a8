"""What the other tests take for granted of the cluster under them, each seen once."""

import time

import httpx
import pytest

from cluster_access import Cluster, Namespace, Object, Refused
from cluster_pods import pod_of


def test_the_node_is_ready_and_its_pods_reach_services_by_name(
    cluster: Cluster, namespace: Namespace
) -> None:
    assert cluster.kubectl("get", "nodes", "--no-headers").split()[1] == "Ready"
    look = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asks"}, "spec": pod_of("-c", look),
    }  # fmt: skip
    namespace.apply(pod)
    namespace.wait(
        "the pod ends", lambda: namespace.get("pod", "asks")["status"]["phase"] == "Succeeded"
    )
    assert namespace.kubectl("logs", "asks").strip() == "10.96.0.1"


def test_the_restricted_level_refuses_a_pod_that_may_be_root(namespace: Namespace) -> None:
    spec = pod_of("-c", "pass", securityContext={})
    with pytest.raises(Refused, match="violates PodSecurity"):
        namespace.apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": spec}
        )


def test_a_job_says_its_result_by_a_termination_message_and_goes_with_its_owner(
    namespace: Namespace,
) -> None:
    say = "open('/dev/termination-log', 'w').write('{\"ok\": true}')"
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "says"},
        "spec": {"backoffLimit": 0, "template": {"spec": pod_of("-c", say)}},
    }
    namespace.apply(job)
    namespace.wait(
        "the Job is complete", lambda: namespace.get("job", "says")["status"].get("succeeded")
    )
    (pod,) = namespace.list("pods")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["message"] == '{"ok": true}'
    namespace.kubectl("delete", "job", "says")
    namespace.wait("the pod is collected", lambda: not namespace.list("pods"))


def test_a_route_leads_through_envoy_and_moves_without_a_lost_request(namespace: Namespace) -> None:
    for name in ("one", "two"):
        serve(namespace, name)
    namespace.apply(route_to(namespace, "one"))
    address = namespace.cluster.kubectl(
        "get", "gateway", "-n", "envoy-gateway-system", "slipway",
        "-o", "jsonpath={.status.addresses[0].value}",
    )  # fmt: skip
    with httpx.Client(
        base_url=f"http://{address}", headers={"host": f"{namespace.name}.example"}, timeout=20
    ) as client:
        namespace.wait("the route answers", lambda: client.get("/").text == "one")
        namespace.apply(route_to(namespace, "two"))
        answers = []
        deadline = time.monotonic() + 60
        while answers[-20:] != ["two"] * 20:
            assert time.monotonic() < deadline, answers[-20:]
            answer = client.get("/")
            assert answer.status_code == 200
            answers.append(answer.text)


def serve(namespace: Namespace, name: str) -> None:
    """A Deployment and a Service that answer with their name."""
    program = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers()\n"
        f"        self.wfile.write(b'{name}')\n"
        "h.ThreadingHTTPServer(('', 8080), A).serve_forever()\n"
    )
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    spec = pod_of(
        "-c", program, readinessProbe=probe, lifecycle={"preStop": {"sleep": {"seconds": 2}}}
    )
    del spec["restartPolicy"]
    labels = {"app": name}
    namespace.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    namespace.kubectl("rollout", "status", f"deployment/{name}", "--timeout=100s")


def route_to(namespace: Namespace, name: str) -> Object:
    """An HTTPRoute on the Gateway, by a host name of the namespace's own."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route"},
        "spec": {
            "parentRefs": [{"name": "slipway", "namespace": "envoy-gateway-system"}],
            "hostnames": [f"{namespace.name}.example"],
            "rules": [{"backendRefs": [{"name": name, "port": 80}]}],
        },
    }
