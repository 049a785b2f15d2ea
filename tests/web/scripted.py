"""A worker that speaks the protocol and answers by rule, when told to: so that a test decides when which score comes."""
import hashlib


def accuracy(code):
    """More and larger convolutions are better, with some noise that only the code decides."""
    rule = sum(int(c) for c in code if c.isdigit()) / (2 * len(code))
    noise = hashlib.sha256(code.encode()).digest()[0] / 255
    return .55 + .3 * rule + .1 * noise


class ScriptedWorker:
    def __init__(self, coordinator, name="scripted", off=0):
        """off: the share of images it wrongly calls correct."""
        self.c, self.off = coordinator, off
        joined = coordinator.api("POST", "/workers", {"protocol": 1, "name": name, "host": name + ".lab", "backend": "scripted", "build": "test", "threads": 1},
                                  token=coordinator.token("join"))
        self.id, self.key = joined["id"], joined["key"]

    def lease(self):
        answer = self.c.api("POST", "/leases", {"protocol": 1, "held": [], "blobs": [], "max_jobs": 1}, token=self.key)
        return answer["leases"]

    def finish(self, lease):
        job = lease["input"]
        images = job["evaluation"]["images"]
        scores = []
        for code in job["candidates"]:
            right = min(images, round((accuracy(code) + self.off) * images))
            scores.append({"code": code, "n_images": images, "n_correct": right, "n_correct_top5": images, "loss_sum": images * (1.2 - accuracy(code)),
                           "stats_digest": hashlib.md5(f"{code} {self.off}".encode()).hexdigest()})
        status, answer = self.c.call("PUT", f"/results/{lease['job']}/{lease['lease']}", {
            "kind": "score", "backend": "scripted", "build": "test", "threads": 1, "wall_ms": 50 * len(scores), "calibration_images": 100,
            "scores": scores}, token=self.key)
        assert status == 200, answer
        return len(scores)

    def fail(self, lease, type, where, detail):
        status, answer = self.c.call("PUT", f"/results/{lease['job']}/{lease['lease']}", {
            "kind": "score", "error": {"type": type, "where": where, "detail": detail}}, token=self.key)
        assert status == 200, answer

    def work(self, at_least=None):
        """Until there is no work, or at least so many are scored. -> how many"""
        done = 0
        while at_least is None or done < at_least:
            leases = self.lease()
            if not leases:
                break
            done += sum(self.finish(l) for l in leases)
        return done
