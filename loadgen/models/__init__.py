"""The model services of the scenarios: what each is asked, and the scikit-learn models that answer."""

from __future__ import annotations

from loadgen.models.cache import train_cached
from loadgen.models.churn import CHURN
from loadgen.models.diabetes import DIABETES
from loadgen.models.digits import DIGITS
from loadgen.models.service import Answers, Feature, Inputs, Service, Trained

SERVICES: dict[str, Service] = {service.name: service for service in (CHURN, DIGITS, DIABETES)}

__all__ = ["SERVICES", "Answers", "Feature", "Inputs", "Service", "Trained", "train_cached"]
