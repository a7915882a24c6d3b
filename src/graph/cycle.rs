//! The order of a graph, or the cycle that forbids one.

use petgraph::{algo::tarjan_scc, graph::DiGraph};

use super::Edge;

/// Positions so that each comes after its dependencies, ties in the order given; or one cycle, first and last equal.
pub fn order(edges: &[Vec<Edge>]) -> Result<Vec<u32>, Vec<u32>> {
    let count = edges.len();
    let mut waiting: Vec<u32> = edges.iter().map(|list| list.len() as u32).collect();
    let mut dependants = vec![Vec::new(); count];
    for (from, list) in (0u32..).zip(edges) {
        for edge in list {
            dependants[edge.to as usize].push(from);
        }
    }
    let mut order: Vec<u32> =
        (0u32..).zip(&waiting).filter(|(_, waits)| **waits == 0).map(|(at, _)| at).collect();
    let mut next = 0;
    while next < order.len() {
        for &dependant in &dependants[order[next] as usize] {
            waiting[dependant as usize] -= 1;
            if waiting[dependant as usize] == 0 {
                order.push(dependant);
            }
        }
        next += 1;
    }
    if order.len() == count { Ok(order) } else { Err(find_cycle(edges)) }
}

/// The shortest walk back to the first member of the smallest strongly connected component.
fn find_cycle(edges: &[Vec<Edge>]) -> Vec<u32> {
    let mut graph = DiGraph::<(), ()>::with_capacity(edges.len(), edges.len());
    let nodes: Vec<_> = edges.iter().map(|_| graph.add_node(())).collect();
    for (from, list) in edges.iter().enumerate() {
        for edge in list {
            graph.add_edge(nodes[from], nodes[edge.to as usize], ());
        }
    }
    let loops_to_itself = |at: u32| edges[at as usize].iter().any(|edge| edge.to == at);
    let mut knots: Vec<Vec<u32>> = tarjan_scc(&graph)
        .into_iter()
        .map(|knot| knot.into_iter().map(|node| node.index() as u32).collect::<Vec<_>>())
        .filter(|knot| knot.len() > 1 || loops_to_itself(knot[0]))
        .collect();
    knots.sort_by_key(|knot| (knot.len(), knot.iter().min().copied()));
    let Some(start) = knots.first().and_then(|knot| knot.iter().min().copied()) else { return Vec::new() };
    let mut came_from = vec![None; edges.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for edge in &edges[at as usize] {
            if edge.to == start {
                let mut path = vec![start, at];
                let mut step = at;
                while let Some(previous) = came_from[step as usize] {
                    path.push(previous);
                    step = previous;
                }
                path.reverse();
                // A loop of one resource to itself walks from it to it.
                if at == start {
                    return vec![start, start];
                }
                return path;
            }
            if came_from[edge.to as usize].is_none() {
                came_from[edge.to as usize] = Some(at);
                queue.push_back(edge.to);
            }
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[&[u32]]) -> Vec<Vec<Edge>> {
        list.iter().map(|to| to.iter().map(|&to| Edge { to, soft: false }).collect()).collect()
    }

    #[test]
    fn each_comes_after_what_it_depends_on() {
        assert_eq!(order(&edges(&[&[1, 2], &[2], &[]])).unwrap(), [2, 1, 0]);
    }

    #[test]
    fn a_cycle_is_walked_by_name() {
        assert_eq!(order(&edges(&[&[1], &[2], &[0], &[0]])).unwrap_err(), [0, 1, 2, 0]);
        assert_eq!(order(&edges(&[&[], &[1]])).unwrap_err(), [1, 1]);
    }
}
