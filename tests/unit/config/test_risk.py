from edged.config.risk import stated_risk
from edged.config.sections import DecisionConfig, SecurityConfig


def test_the_risk_is_of_a_visit_with_the_agreement_that_is_asked_for() -> None:
    risk = stated_risk(SecurityConfig(level="secure", frames_per_visit=12), DecisionConfig(confirm_frames=4))
    assert (risk.target_fpir, risk.attempts) == (1e-4, 3)


def test_what_is_not_stated_is_the_normal_level() -> None:
    assert stated_risk(SecurityConfig(), DecisionConfig()).target_fpir == 1e-3
    assert stated_risk(SecurityConfig(target_fpir=0.02), DecisionConfig()).target_fpir == 0.02
